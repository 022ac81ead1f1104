"""Random moves of an explorer's controls, as a restless hand makes them."""


def explorers():
    """Every explorer with controls that this process holds on to."""
    import gc

    from bn_teach.lessons.shared.explorer import Explorer

    return [found for found in gc.get_objects() if isinstance(found, Explorer) and found.controls]


def some_value(control, rng):
    """Draw a value that a hand could give to a control."""
    if hasattr(control, "options"):
        option = rng.choice(list(control.options))
        return option[1] if isinstance(option, tuple) else option
    if isinstance(control.value, bool):
        return not control.value
    if isinstance(control.value, str):
        return rng.choice(["", "12", "-0.5", "a word", "1e400"])
    step = getattr(control, "step", None) or 1
    return control.min + step * rng.randrange(int((control.max - control.min) / step) + 1)


def move(explorer, rng):
    """Move one control of an explorer, and return the control's name."""
    name = rng.choice([name for name, control in explorer.controls.items() if hasattr(control, "value")])
    control = explorer.controls[name]
    control.value = some_value(control, rng)
    return name
