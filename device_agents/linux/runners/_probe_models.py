"""The smallest models that prove that a runtime works, packed with zlib."""

from __future__ import annotations

import base64
import zlib

ADD_PTL = zlib.decompress(
    base64.b64decode(
        "eNqdVgtMU1cYvn1QSoHysDCRxyKItiClxVJeGrUiwxaBVYEqxnJpL22ltD3tLYJiomwU3eZkOt0QNVM3lKiTxE0X5mNoVHBOdETd"
        "XMx0E3TTCUYCajLZufdKbQsj6knI7f+f///Od/7XIV/BYCIIm42MWoFIMIJaNXpDJZaoRXFUaCk3Zsm4yFK3tZauUatxM7RTqzlz"
        "tVoOQATr1vBVBCBuRQ0mg0kHaOtVoVBWG2zqMrvRqC5FNeUrUatWrTebywE9114KGMJ8hTf7UemtA3JoSfzlQ2Y8yGw0tTAk0clM"
        "Y9ZiiU4GQkt1lizeg+K4q6ChfcUZkZ+jbw0nckKH7LzJ4T+IaD67eSFQPv1w866tHdL41c/SlhffWyAbHvLZnZYv719RMTT1KPPh"
        "T1wETP7KfOmgT9Cu2/2/Ni8CD02fbq0ZeOTrlxONvlcjK5L9sKG3O6Dl7N6Olt4+xWCwIEJqsSVkWPaEd8cuOqa78nR96jWNYztj"
        "h3+NJWfPrJnHly3t3vxt1OV+kMA7MowtU4lTvswI6E/lth7uaTHPfGiu7Tnwc+dm08nIluclkSUnOv491bLjw3NtJUPeRPDsRwNq"
        "zsPwxNHGC14Mwv//4Am1WKldpyYzPeWVwrhwU5f8zJzAcykVh6S6K3FRq/obZNnxVQ212V6H7DnxySVcuX5LwobmBZVHzv7d+V5r"
        "163yJ0nRH6zvut2+cDj2zOmai0OPmnbe3bEki72zcvWq7tavfzvXaMcGbuzchkk2JeaylTloTHTj93sKMtOqVGGOgd15kbGF0zZy"
        "fFv+WcHi/tFQGJ7U2bixWiKwpj7u/O5tUZ9PcVBzaJNj64a2fVevtrVlV9Ey9l+YYo7CEN4RsX9v8Wn+8s0Rh/pSOe92fqS8GnG8"
        "lTdX8HlTrVKzd39Z3/XoSdzWZE7kg/NLB7ILJwri1j4IG7yk2R5SPXhiU0/7L48jFTVnh0qnbinoKWw/6M0OnFbeve14Sop4Tm3E"
        "HVrsOjovVbCOlcANrl95jHn3C1sHeGLpfrrvcuQ9a4ftyYWLp+pOvh8u5PdvaRzmzKot4sZHPG9+Vjfvk/v3lW1zfm9Iyl0iL7pX"
        "vERXLEeffXxH2IVm9t6YTSQX7zEt18LE+tKp5I7dsyGwN14m12TDURNuoxo3ZOx0rqULyM6rSPQpgqAIExkPn4ekO/FLq3GMKCAK"
        "Xvo6Ted2voKtCiGGg7MM4RQRlpmtxIAACF/lBzcN8CpWuwY3wDsBGl/FgrpFi/OU83MBXUFT0OtVXlCTqczLVwIGVCD1KuIiC/MK"
        "5wOmgk7IhEFO3tzMecCLNNB7kXr4QYhtGFYkLx+wKMlrBB94KxgjaIQ3YJOynkl93KFYlMSiDmRAF+X8xcCHhMQdKh+oMFswKwov"
        "agMcVRiUURwzpacDO8yTYRWmhrtqqLGZrcBXRQQc+CmY9Sou8euFjTY9HdVqgb+e3Al0YmixEQvAJenaMGMZCFDQ6uupo531AAIV"
        "/u/M7qcyCqk5yOvi1RbMBoIEDpU/lKyYzmDDIRsbARisYDhwEgS16uwVGAEygTzEhFZggKeiEeeBEAepI5BAKAnjllTwFoWtxcpQ"
        "uxFXV6JGOwYm5jrq9RRCFQhz6EPJ5C6mgjDJoSf2HQ6VN0kKt1thAYTreXo/aKl/sV3ngCZkFTekTP5RDlMpH7dLApA0ZxVXYlYb"
        "rKosWfKbFfAMDnHulV26AqKC6ON2TxAy2617zFYtZs2SZbxh65DLaMBxI0ZwqJv1ZxgROta4HKIQoZODkHjWE22Y1YAaDatQorvU"
        "Bm2WLO41CInEqckiiVScLJEmJSVJxGkiiViUIkqVpErEyWkiuJc8QyqVJhEM6Tf/AnzIgU8ypBHBcnJ0ffkDR7H2/D+E8n75wLk+"
        "fWFunttdvEc9d54wrkM2xg3mOg15lVfT81auUzXEDfAbBjL2pPaEcC1pnvswZiJjDmNPBNfiDHBDuMFCPBvB09m1qoLcnJXeyOhq"
        "9nR3TXmUm/s1F/exCzFfwWJNHylbRoLTk+3xjaFT36oXCuhHTAukiUPJNFLnxaJ82KQ9Zfsf4MQRDQ=="
    )
)
"""y = x + x for float32 [1, 4], added as 8-bit integers of scale 1: 2,813 bytes, saved by torch 2.13.0."""

ADD_PTE = zlib.decompress(
    base64.b64decode(
        "eNqtVM1Kw0AQnsRYYw0lxlCKFAnBg4ciqSeVHkQUehBPHgqlaG0jLYY0tCkq0nfwUXwCzx49ePDgoU/SOLuZtNtaFdEtsz+zmW++"
        "mZ1pCQCOz4o7bstxLNw/L0A8lHgJJBgPHXI4m7hqoOIHOj8BbKKcCPI2iiJmLpiCTN9pKCq3VHCdxlf4bzLYVZ7vsrCF1haecoL/"
        "LGHuMhySF5RXxgHlAQHe5dh3Mi5m8Jm/pyiKNOJm0t0j6oialMGp4vtBvXF9iOL6zYm9znfpMac04RyQSOOYNVihmHVKicpPCs0T"
        "ntIMR0nQyRSDQhzZi8CiAQasck8qZdKgWHJJDlMpzi9FWDKBy0IeVGS/THwSXBPWPuHqIi4iD5GH/i1unBuV7wGOUPZQqsWCdW+H"
        "d4Fr71t+3/MKlt3o+KF7GwqKVttrdl3/vBe4DVRXa4Ma2o5m7e3LftsL235vO+wHnmtPYdkMzJ6H9m/2v+E/mMu72W6EM26rNfsr"
        "CEzCEubgqtO9qXeb8JdRKTvOBrDuL0vTHQlcWzl1iqwHLf6GGr6/GdcHVgDrwTxaDHEt0fsXyE4RamA9iv8TfqrruFcyGJtKNQdS"
        "7MtAbynuH4iBQUgy1WRSf+Ka1J+IZxJCgsZOuoClzsEQe93gaBrv9QRPorukT9JCfI4Q9we8m6Bd"
    )
)
"""y = x + x for float32 [1, 4], in the XNNPACK backend: 1,392 bytes, saved by ExecuTorch 1.5.1."""
