"""What is tuned of the optimizers that ``torch.optim`` and other packages bring, for use as baselines.

Every method of this family, and every baseline, gets two tunables. Each range of learning rates spans three and a half
factors of ten, and each of weight decay three: with the same points of the unit square and the same number of trials,
no method is helped by a range that was drawn tighter around its optimum. How the ranges of methods lie to each other
follows from what a step is, not from results; where all of them lie together, from what others have found best as well:

* A step of Adam, AdamW, NAdam and RAdam moves a coordinate by about ``lr``. The range ends at 1e-1 because small models
  that train for a few hundred steps have their optimum near 1e-2. It begins at 3e-5, because networks that others have
  tuned on 17 data sets of tables, with early stopping, have theirs between 3e-5 and 1e-3 (arXiv 2604.15297: AdamW's lie
  from 4e-5 to 7.5e-4; those of its relatives begin at 3e-5).
* The weight decay of the latter three is decoupled and shrinks a weight by ``lr * weight_decay`` a step. From 5e-3,
  which changes nothing in a short run, to 5, the largest that was tried there; the optima lie between 6e-3 and 5.
* Lion divides the first range by about 3 and multiplies the second by nearly as much, as its paper advises. Its
  published optima, from 1.2e-5 to 8e-4 and from 0.015 to 5, lie within.
* EXAdam, whose step is about ten times Adam's, divides the first by 10 and multiplies the second by 10.
* diffGrad's friction takes half of a step where gradients are small: the first range is doubled.
* Adagrad's first step moves a coordinate by ``lr`` as well, and the hundredth by a tenth of it where gradients stay as
  large: the first range times 10. Its weight decay belongs to the gradient, as SGD's.
* RMSprop's and AdaMax's step moves a coordinate by about ``lr`` as well (RMSprop's first ones by up to ten times that,
  because nothing corrects its average); their weight decay belongs to the gradient: Adam's ranges.
* Adadelta's ``lr`` is a factor on steps that it sizes itself, 1 in the paper: the range lies around that on a
  logarithmic scale.
* Adafactor's ``lr`` is the share of its size by which a layer changes, at most one over the root of the number of
  steps; 1e-2 is the paper's. The range is ten times AdamW's, and that of its weight decay, which is decoupled and
  multiplied with ``lr``, a tenth of AdamW's.
* SOAP, AdEMAMix, ADOPT, Adan, MARS and CAME size their steps as AdamW does, with decoupled weight decay: its ranges.
  So do cautious AdamW, whose mask takes away what the others gain, Adam-mini, and AdamW with states of 8 and 4 bits.
  Signum's are Lion's.
* PSGD-Kron whitens: the root mean square of a step over a tensor is about ``lr``, as a step of signs has it: Lion's.
* Sophia-H's step moves a coordinate by a hundredth of ``lr`` at most: AdamW's rates times 100, and its weight decay,
  which is multiplied with ``lr``, over 100.
* Scalable Shampoo's step is as long as SGD's with momentum 0.9 in each layer, and SAM's is SGD's, from elsewhere:
  both have SGD's ranges, and weight decay that is part of the gradient.
* L-BFGS's ``lr`` is where a line search begins; 1 is Newton's step. It has no weight decay, and one tunable.
* AdaGrad-Norm's first step is ``lr`` long in all coordinates together, of which small models have thousands: the range
  is ten times Adagrad's.
* SGD's step is ``lr`` times a gradient, and momentum 0.9 makes it ten times that; 0.1 is the customary value, in the
  upper half of the range on a logarithmic scale. Its weight decay belongs to the gradient, and with ``lr`` ten times
  AdamW's the same shrinking takes a far smaller number: 5e-4 is the customary value. Adam's and diffGrad's weight decay
  belongs to the gradient too and has the same range.

What is not tuned is fixed by whoever builds the optimizer: SGD with ``momentum=0.9`` and ``nesterov=True``, NAdam and
RAdam with ``decoupled_weight_decay=True`` (without it their range of weight decay would be wrong), and so are those of
other packages where they have a choice. MARS moves vectors as it moves matrices, because its package would give them a
learning rate of their own that is not tuned. Scalable Shampoo computes roots every tenth step, for its package's
thousandth never comes in a short run. L-BFGS searches by the strong Wolfe conditions, four times a step.
"""

from trimtab.study.tunable import LogUniform, Tunables

SGD: Tunables = {"lr": LogUniform(3e-4, 1.0), "weight_decay": LogUniform(1e-5, 1e-2)}
ADAM: Tunables = {"lr": LogUniform(3e-5, 1e-1), "weight_decay": LogUniform(1e-5, 1e-2)}
ADAMW: Tunables = {"lr": LogUniform(3e-5, 1e-1), "weight_decay": LogUniform(5e-3, 5.0)}
ADAGRAD: Tunables = {"lr": LogUniform(3e-4, 1.0), "weight_decay": LogUniform(1e-5, 1e-2)}
NADAM: Tunables = ADAMW
RADAM: Tunables = ADAMW
RMSPROP: Tunables = ADAM
ADADELTA: Tunables = {"lr": LogUniform(1e-2, 3.3e1), "weight_decay": LogUniform(1e-5, 1e-2)}
ADAMAX: Tunables = ADAM
ADAFACTOR: Tunables = {"lr": LogUniform(3e-4, 1.0), "weight_decay": LogUniform(5e-4, 5e-1)}
SIGNUM: Tunables = {"lr": LogUniform(1e-5, 3.3e-2), "weight_decay": LogUniform(1.4e-2, 14.0)}
KRON: Tunables = SIGNUM
SOPHIA: Tunables = {"lr": LogUniform(3e-3, 1e1), "weight_decay": LogUniform(5e-5, 5e-2)}
SHAMPOO: Tunables = SGD
SAM: Tunables = SGD
LBFGS: Tunables = {"lr": LogUniform(1e-2, 3.3e1)}
