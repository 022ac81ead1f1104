"""running_averages"""
