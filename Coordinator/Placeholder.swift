import GRDB
import Hummingbird
import CLibPQ
import Logging
