"""start_here"""
