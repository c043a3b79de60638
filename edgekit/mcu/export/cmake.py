"""A CMake project: a static library to add as a subdirectory, with an example."""

from __future__ import annotations

from edgekit.mcu.export import _example, _readme
from edgekit.mcu.export._content import Content


def files(content: Content) -> dict[str, str]:
    """`CMakeLists.txt`, `include/`, `src/`, `example/`, `README.md`."""
    name = content.name
    lists = f"""cmake_minimum_required(VERSION 3.13)
project({name} LANGUAGES C)

add_library({name} STATIC src/{name}.c)
target_include_directories({name} PUBLIC include)
set_target_properties({name} PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON)
if(NOT CMAKE_BUILD_TYPE)
  target_compile_options({name} PRIVATE -O2 -fno-strict-aliasing)
endif()

option({name.upper()}_EXAMPLE "Build the example" OFF)
if({name.upper()}_EXAMPLE)
  add_executable({name}_example example/main.c)
  target_link_libraries({name}_example PRIVATE {name})
endif()
"""
    use = (
        f"In your `CMakeLists.txt`: `add_subdirectory({name})` and `target_link_libraries(app PRIVATE {name})`.\n"
        f"The example:\n\n```sh\ncmake -S . -B build -D{name.upper()}_EXAMPLE=ON && cmake --build build\n```"
    )
    tree = (
        ("CMakeLists.txt", "the library and the example"),
        (f"src/{name}.c", "the model"),
        (f"include/{name}.h", "its interface"),
        ("example/main.c", "an example"),
    )
    return {
        "CMakeLists.txt": lists,
        f"src/{name}.c": content.source,
        f"include/{name}.h": content.header,
        "example/main.c": _example.program(content),
        "README.md": _readme.readme(content, use, tree),
    }
