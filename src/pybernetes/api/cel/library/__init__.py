"""The functions of expressions, a module per library of cel-go or of Kubernetes."""
