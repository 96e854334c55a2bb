"""Tasks and the users they belong to: values, questions, and what keeps them has to do."""
