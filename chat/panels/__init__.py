"""What the page's panels ask: one file for each panel, `dispatch` names them."""
