"""What a reader who pastes lines of Python has to have already."""

import builtins
import symtable


def missing_names(code):
    """The names that lines use and neither import, nor assign, nor find among the builtins."""
    top = symtable.symtable(code, "pasted", "exec")
    used, tables = set(), [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        used |= {each.get_name() for each in table.get_symbols() if each.is_referenced() and each.is_global()}
    there = {each.get_name() for each in top.get_symbols() if each.is_assigned() or each.is_imported()}
    used |= {each.get_name() for each in top.get_symbols() if each.is_referenced()}
    return used - there - set(dir(builtins))
