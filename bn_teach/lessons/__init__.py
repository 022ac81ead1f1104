"""One folder for each notebook, named as the notebook: what it computes, draws, says and asks."""
