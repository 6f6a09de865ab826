"""Each method's central claim, as an experiment that anybody can run.

Nothing is imported here but names, so that a list of the claims does not wait for torch.
"""

CLAIMS: dict[str, str] = {
    "lion": "trimtab.claims.lion:CLAIM",
    "adabelief": "trimtab.claims.adabelief:CLAIM",
    "exadam": "trimtab.claims.exadam:CLAIM",
    "diffgrad": "trimtab.claims.diffgrad:CLAIM",
    "lamb": "trimtab.claims.lamb:CLAIM",
    "adahessian": "trimtab.claims.adahessian:CLAIM",
    "adadagrad": "trimtab.claims.adadagrad:CLAIM",
    "adagradnorm": "trimtab.claims.adadagrad:CLAIM",
    "agvm": "trimtab.claims.agvm:CLAIM",
    "lars": "trimtab.claims.lamb:CLAIM",
    "clip": "trimtab.claims.clip:CLAIM",
    "clipped_adam": "trimtab.claims.clip:CLAIM",
    "sso": "trimtab.claims.sso:CLAIM",
    "autolrs": "trimtab.claims.autolrs:CLAIM",
    "galore": "trimtab.claims.q_galore:CLAIM",
    "q_galore": "trimtab.claims.q_galore:CLAIM",
    "rmt_scaling": "trimtab.claims.rmt_scaling:CLAIM",
    "linear": "trimtab.claims.refined:CLAIM",
    "refined": "trimtab.claims.refined:CLAIM",
}
"""A method of the catalogue, and where its claim is: ``module:name``. Several methods may share one."""
