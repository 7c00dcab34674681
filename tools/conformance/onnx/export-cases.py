"""Writes the backend node test cases of the installed `onnx` package: export-cases.py OUTPUT_FOLDER"""
import os
import sys
import warnings

warnings.filterwarnings("ignore")

import numpy
import onnx
import onnx.backend.test.case.node as node_cases
from onnx import numpy_helper


def proto_bytes(value, name):
    if not hasattr(value, "SerializeToString"):
        value = numpy_helper.from_array(numpy.asarray(value), name)
    value.name = name
    return value.SerializeToString()


def main(folder):
    written, failed = 0, []
    for case in node_cases.collect_testcases(None):
        path = os.path.join(folder, case.name)
        try:
            files = {"model.onnx": case.model.SerializeToString()}
            for index, (inputs, outputs) in enumerate(case.data_sets):
                graph = case.model.graph
                for kind, values, declared in (("input", inputs, graph.input), ("output", outputs, graph.output)):
                    for position, value in enumerate(values):
                        files[f"{kind}_{index}_{position}.pb"] = proto_bytes(value, declared[position].name)
            os.makedirs(path, exist_ok=True)
            for name, data in files.items():
                with open(os.path.join(path, name), "wb") as out:
                    out.write(data)
            with open(os.path.join(path, "tolerance"), "w") as out:
                out.write(f"{case.rtol} {case.atol}")
            written += 1
        except Exception as error:  # a case that the package itself cannot serialise
            failed.append(f"{case.name}: {error}")
    with open(os.path.join(folder, "export.txt"), "w") as out:
        out.write(f"onnx {onnx.__version__}\nwritten {written}\n" + "".join(f"failed {line.splitlines()[0]}\n" for line in failed))
    print(f"onnx {onnx.__version__}: {written} cases written, {len(failed)} could not be serialised by the package")


main(sys.argv[1])
