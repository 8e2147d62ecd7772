"""A running server follows the current release of its share."""
