"""The pace: learning rate, batch size and hyper-parameters that set themselves during the run.

Controllers stand beside an optimizer in a loop of one's own, as torch's schedulers do; see
:class:`~trimtab.lab.controller.Controller`.
"""
