"""your_framework"""
