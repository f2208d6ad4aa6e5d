"""Helpers of the models that are no models."""
