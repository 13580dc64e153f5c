"""What the parts of the page tell, each as the templates draw it."""
