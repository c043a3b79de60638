"""A Zephyr module: a library behind one Kconfig option, with a sample."""

from __future__ import annotations

from edgekit.mcu.export import _example, _readme
from edgekit.mcu.export._content import Content


def files(content: Content) -> dict[str, str]:
    """`zephyr/module.yml`, `CMakeLists.txt`, `Kconfig`, `include/`, `src/`, `samples/infer/`, `README.md`.

    Source of the form: Zephyr's documentation, "Modules (External projects)".
    """
    name, option = content.name, f"EDGEKIT_{content.name.upper()}"
    lists = f"""if(CONFIG_{option})
  zephyr_include_directories(include)
  zephyr_library()
  zephyr_library_sources(src/{name}.c)
  zephyr_library_compile_options(-O2 -fno-strict-aliasing)
endif()
"""
    size_bytes = content.generated.schedule.plan.size_bytes
    title = content.sentence.replace('"', "'")
    kconfig = (
        f'config {option}\n\tbool "{title}"\n\thelp\n'
        "\t  A neural network without an interpreter. It needs no heap and\n"
        f"\t  {size_bytes} bytes of working memory that the application gives it.\n"
    )
    sample_lists = """cmake_minimum_required(VERSION 3.20.0)
list(APPEND ZEPHYR_EXTRA_MODULES ${CMAKE_CURRENT_SOURCE_DIR}/../..)
find_package(Zephyr REQUIRED HINTS $ENV{ZEPHYR_BASE})
project(infer LANGUAGES C)
target_sources(app PRIVATE src/main.c)
"""
    outputs = range(len(content.generated.network.outputs))
    prints = "".join(f'  printk("output {place}: %u\\n", (unsigned int)best_{place});\n' for place in outputs)
    main = "#include <zephyr/sys/printk.h>\n\n" + _example.program(content, results=prints)
    use = (
        "Name this folder in `ZEPHYR_EXTRA_MODULES` or in your manifest and set\n"
        f"`CONFIG_{option}=y`. The sample, on a board with {content.core}:\n\n"
        "```sh\nwest build -b BOARD samples/infer\n```"
    )
    tree = (
        ("zephyr/module.yml", "makes the folder a module"),
        ("CMakeLists.txt", "the library"),
        ("Kconfig", f"`CONFIG_{option}`"),
        (f"src/{name}.c", "the model"),
        (f"include/{name}.h", "its interface"),
        ("samples/infer", "an application"),
    )
    return {
        "zephyr/module.yml": f"name: {name}\nbuild:\n  cmake: .\n  kconfig: Kconfig\n",
        "CMakeLists.txt": lists,
        "Kconfig": kconfig,
        f"src/{name}.c": content.source,
        f"include/{name}.h": content.header,
        "samples/infer/CMakeLists.txt": sample_lists,
        "samples/infer/prj.conf": f"CONFIG_{option}=y\n",
        "samples/infer/src/main.c": main,
        "README.md": _readme.readme(content, use, tree),
    }
