"""Configuration to resources: Azure Container Apps for inference."""
