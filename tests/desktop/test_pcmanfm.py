"""PCManFM, the file manager of LXDE."""
import managers
from managers import (  # noqa: F401
    test_copies_in, test_copy_is_cancelled, test_deletes_the_output, test_listing_asks_nothing,
    test_makes_a_session, test_no_credits, test_output_comes_and_goes, test_takes_the_output, test_unsupported_type)


class Manager(managers.Manager):
    command = ("pcmanfm", "--new-win")
    name = "pcmanfm"
    proposed = "New"
    deletes = "delete"
