"""The networks that learn to classify images: those of the papers, those of torchvision, and the user's own."""
