"""What is tuned of other packages' optimizers that need no schedule, or no learning rate, for use as peers.

* Schedule-free AdamW's step is AdamW's, and so is its range; its authors advise one to ten times AdamW's rate with a
  schedule. The momentum keeps its default of 0.9. Schedule-free RAdam's step becomes the same within the first hundred
  and has the same ranges; its first five, of which RAdam would make steps of SGD, move nothing.
* Schedule-free SGD's momentum lengthens no step: its authors advise 10 to 50 times SGD's rate, and the range is ten
  times that of SGD with momentum 0.9. Its weight decay is part of the gradient, as SGD's.
* Prodigy finds the learning rate by itself, and its ``lr`` stays at 1. Its authors advise to tune the coefficient of
  what it finds, between 0.5 and 2, if anything; the range is one factor of ten in each direction. Its weight decay is
  AdamW's.
"""

from trimtab.study.tunable import LogUniform, Tunables

SCHEDULE_FREE: Tunables = {"lr": LogUniform(3e-5, 1e-1), "weight_decay": LogUniform(5e-3, 5.0)}
SCHEDULE_FREE_SGD: Tunables = {"lr": LogUniform(3e-3, 1e1), "weight_decay": LogUniform(1e-5, 1e-2)}
PRODIGY: Tunables = {"d_coef": LogUniform(0.1, 10.0), "weight_decay": LogUniform(5e-3, 5.0)}
