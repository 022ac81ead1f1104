"""the_paper"""
