"""What sparsity is worth: a finished unit executed sparse, masked and dense, compared, timed and weighed."""
