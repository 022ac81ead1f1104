"""two_modes"""
