"""One job over a grid of budgets, boards, models, objectives and limits."""
