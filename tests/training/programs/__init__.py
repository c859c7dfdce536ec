"""Programs that tests start in processes of their own, and what the tests share with them."""
