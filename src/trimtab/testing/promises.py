"""What each check is about, as a user would say it."""

from typing import Final

PROMISES: Final[dict[str, str]] = {
    "The update does what any right one does": (
        "added_group alone closure_gradients constant_gradients decays_once descends expanded_gradients first_momentum "
        "flags foreach gradient_size group_settings group_weight_decay late_gradients many_steps maximize "
        "momentum_memory numbers order_of_parameters reused_gradients scaled_gradients settings_kept step_counter "
        "tied_parameters unreached_clipping weight_decay_forms without_gradients zero_gradients zero_lr zero_parameters"
    ),
    "A run that is saved goes on exactly": (
        "distributed_state kept_entries names_of_a_state state_dict state_dict_keys state_of_another_type "
        "step_counts tensor_lr_saved"
    ),
    "It can be copied and pickled": "copied_attributes deepcopy new_process pickle",
    "Nothing is shared with the caller, or written to behind its back": (
        "callers_groups_not_aliased global_random_state gradients_unchanged loaded_state_not_aliased "
        "saved_state_not_aliased state_not_shared step_builds_no_graph storage_not_moved tensor_lr_not_aliased"
    ),
    "Every kind of parameter works": (
        "complex_parameters default_dtype dtype frozen_parameters group_without_parameters layout lazy_parameters "
        "meta_parameters mixed_dtypes shape sparse_gradients"
    ),
    "It fits the loops that others write": (
        "between_backward_and_step closure closure_by_name global_step_hooks grad_scaler hook_order "
        "named_parameters printed scheduler state_dict_hooks step_hooks tensor_lr zero_grad"
    ),
    "What is accepted works, and what cannot is refused": (
        "accepted_settings duplicate_in_a_group duplicates_refused expanded_parameter foreign_state_refused "
        "refuses refuses_in_group refuses_later refuses_lr_of_two torch_error_inputs"
    ),
}
"""What users rely on, and the checks that try it, in the order in which it is printed.

Wrong updates and lost state come first, and last how bad input is met: it makes nobody's run go wrong who gives none.
"""

_BY_CHECK = {check: promise for promise, checks in PROMISES.items() for check in checks.split()}


def promise_of(check: str) -> str:
    """Returns what a check is about.

    Raises:
        KeyError: there is no such check.
    """
    return _BY_CHECK[check]
