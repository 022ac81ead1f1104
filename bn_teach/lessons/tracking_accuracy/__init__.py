"""tracking_accuracy"""
