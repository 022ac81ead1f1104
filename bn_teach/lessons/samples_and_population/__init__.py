"""samples_and_population"""
