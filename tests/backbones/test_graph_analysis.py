"""The input and the features of ONNX networks are found, or the file is refused with its reason."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cnntrain.backbones.backbone import load_backbone, reopen_backbone
from cnntrain.errors import DataError, WeightsError
from support.backbones import tiny_backbone, tiny_model

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
KEYS = {"order": "rgb", "views": 1}
FEATURES = {
    "bvlc_alexnet": ("r22", 4096, False),
    "densenet121": ("r908", 1024, True),
    "inception_v1": ("r141", 1024, False),
    "inception_v2": ("r506", 1024, False),
    "resnet50": ("r173", 2048, False),
    "shufflenet": ("r200", 544, False),
    "squeezenet": ("r61", 512, True),
    "vgg19": ("r44", 4096, False),
    "zfnet512": ("r19", 1024, False),
}


def load(path, size=None, channels=3, **keys):
    return load_backbone({"backbone": str(path)} | KEYS | keys, size, channels)


@pytest.mark.slow
@pytest.mark.parametrize("name", FEATURES)
def test_well_known_architectures(name):
    """Graphs that come with onnx, with constant weights."""
    spec = load(LIGHT / f"light_{name}.onnx").spec
    tensor, count, is_pooled = FEATURES[name]
    assert (spec.output, spec.shape, spec.is_pooled) == (tensor, (count, 1, 1), is_pooled)
    assert (spec.layout, spec.image_shape) == ("NCHW", (3, 224, 224))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("batch", [1, "N"])
def test_layouts_and_batches(tmp_path, layout, batch):
    backbone = load(tiny_backbone(tmp_path / "a.onnx", layout=layout, batch=batch))
    assert (backbone.spec.output, backbone.spec.shape) == ("flat", (4, 1, 1))
    assert (backbone.spec.layout, backbone.spec.image_shape) == (layout, (3, 32, 32))
    plain = load(tiny_backbone(tmp_path / "b.onnx"))
    image = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    np.testing.assert_allclose(backbone.features(image), plain.features(image), rtol=1e-5)


def test_the_preprocessing_is_what_it_says(tmp_path):
    path = tiny_backbone(tmp_path / "a.onnx")
    image = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    mean, std, scale = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6], 0.01
    x = (image * scale - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    model = tiny_model()
    W = numpy_helper.to_array(next(tensor for tensor in model.graph.initializer if tensor.name == "W"))

    def expected(x):
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2]
        z = np.einsum("chwij,kcij->khw", windows, W)
        return np.maximum(z, 0).mean((1, 2))

    found = load(path, mean=mean, std=std, scale=scale).features(image)
    np.testing.assert_allclose(found.reshape(-1), expected(x), rtol=1e-4)
    found = load(path, mean=mean, std=std, scale=scale, order="bgr").features(image[::-1].copy())
    np.testing.assert_allclose(found.reshape(-1), expected(x), rtol=1e-4)
    found = load(path, mean=[0], std=[1], scale=1.0).features(image)
    np.testing.assert_allclose(found.reshape(-1), expected(image.astype(float)), rtol=1e-4)


def test_any_size_takes_that_of_the_data_or_224(tmp_path):
    path = tiny_backbone(tmp_path / "a.onnx", side="S")
    assert load(path).spec.image_shape == (3, 224, 224)
    assert load(path, (40, 50)).spec.image_shape == (3, 40, 50)


def test_a_named_tensor_may_be_a_map(tmp_path):
    path = tiny_backbone(tmp_path / "a.onnx")
    assert load(path, output="map").spec.shape == (4, 15, 15)
    with pytest.raises(DataError, match=r"has no tensor 'mop'; the last ones are .*'logits', 'probabilities'"):
        load(path, output="mop")


def test_a_network_without_classifier_is_taken_whole(tmp_path):
    model = tiny_model()
    del model.graph.node[-2:], model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["N", 4]))
    onnx.save(model, tmp_path / "a.onnx")
    backbone = load(tmp_path / "a.onnx")
    assert (backbone.spec.output, backbone.spec.shape) == ("flat", (4, 1, 1))
    assert "no layer with weights follows the pooling" in backbone.choices[0]


def graph_with(path, inputs, outputs, nodes=None):
    nodes = nodes or [helper.make_node("Identity", [inputs[0][0]], [outputs[0][0]])]
    infos = [[helper.make_tensor_value_info(*info) for info in infos] for infos in (inputs, outputs)]
    model = helper.make_model(helper.make_graph(nodes, "g", *infos), opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, path)
    return path


FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
IMAGES, ANY = ("x", FLOAT, ["N", 3, 32, 32]), ("y", FLOAT, None)


@pytest.mark.parametrize(
    ("inputs", "outputs", "reason"),
    [
        (
            [("ids", INT64, ["N", 128])],
            [("y", INT64, None)],
            r"not an image network: its input 'ids' is int64 \[N, 128\]",
        ),
        ([("wave", FLOAT, [1, 1, 16000])], [ANY], r"not an image network: its input 'wave' is float32 \[1, 1, 16000\]"),
        ([IMAGES, ("ids", INT64, [1])], [ANY], r"it takes 2 inputs, and one is needed: 'x' .*, 'ids' \(int64 \[1\]\)"),
        ([("x", FLOAT, [8, 3, 32, 32])], [ANY], "takes 8 images at a time"),
        ([("x", FLOAT, ["N", 7, 32, 32])], [ANY], "is neither N, C, H, W and N, H, W, C with 1 or 3 channels"),
        ([("x", FLOAT, ["N", 3, 32, 3])], [ANY], "could be both"),
        ([IMAGES], [ANY], r"does not end like a classifier, but in 'y' \(Identity\)|but in its input"),
    ],
)
def test_what_is_no_classifier_of_images_is_refused(tmp_path, inputs, outputs, reason):
    with pytest.raises(DataError, match=reason):
        load(graph_with(tmp_path / "a.onnx", inputs, outputs))


def test_several_outputs_ask_for_one(tmp_path):
    model = tiny_model()
    model.graph.output.append(helper.make_tensor_value_info("map", FLOAT, ["N", 4, 15, 15]))
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(DataError, match=r"has 2 outputs: 'probabilities' .*, 'map' .*; a classifier has one: name the"):
        load(tmp_path / "a.onnx")
    assert load(tmp_path / "a.onnx", output="flat").spec.shape == (4, 1, 1)


def test_a_network_that_ends_in_a_map_is_refused(tmp_path):
    model = tiny_model()
    del model.graph.node[2:], model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("map", FLOAT, ["N", 4, 15, 15]))
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(DataError, match=r"does not end like a classifier, but in 'map' \(Relu\)"):
        load(tmp_path / "a.onnx")


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08"])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(DataError, match="not an ONNX file, or it is cut off"):
        load(tmp_path / "a.onnx")


@pytest.mark.parametrize("operator", ["Conv", "Gemm", "MatMul", "Add", "Softmax", "GlobalAveragePool", "Sub"])
def test_a_node_without_its_inputs_is_refused(tmp_path, operator):
    model = tiny_model()
    del model.graph.node[1:]
    model.graph.node[0].CopyFrom(helper.make_node(operator, [], ["probabilities"]))
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(DataError, match=rf"damaged: 'probabilities' \({operator}\) has 0 inputs, not [12]"):
        load(tmp_path / "a.onnx")


@pytest.mark.parametrize("pair", [("a", "a"), ("a", "b")])
def test_a_tensor_that_depends_on_itself_is_refused(tmp_path, pair):
    model = tiny_model()
    del model.graph.node[:], model.graph.output[:]
    model.graph.node.extend(
        [helper.make_node("Identity", [pair[1]], ["a"]), helper.make_node("Identity", ["a"], ["b"])]
    )
    model.graph.output.append(helper.make_tensor_value_info("a", FLOAT, None))
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(DataError, match=r"damaged: the tensor '[ab]' depends on itself"):
        load(tmp_path / "a.onnx")


@pytest.mark.parametrize("name", [b"images", b"pooled", b"logits", b"classifier", b"bias"])
def test_names_that_are_not_utf_8_are_refused(tmp_path, name, capfd):
    content = tiny_model().SerializeToString().replace(name, b"\xe6" + name[1:])
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(DataError, match="not an ONNX file, or it is cut off"):
        load(tmp_path / "a.onnx")
    assert capfd.readouterr() == ("", "")


def test_what_onnx_runtime_refuses_is_one_sentence(tmp_path, capfd):
    model = tiny_model()
    model.ir_version = 99
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(DataError, match="ONNX Runtime cannot run the backbone"):
        load(tmp_path / "a.onnx")
    assert capfd.readouterr() == ("", "")


def test_weights_of_constant_nodes_may_be_in_a_file_beside_it(tmp_path):
    model = tiny_model()
    for tensor in reversed(model.graph.initializer):
        model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
    del model.graph.initializer[:]
    onnx.save(model, str(tmp_path / "plain.onnx"))
    place = {"save_as_external_data": True, "location": "a.data", "size_threshold": 0, "convert_attribute": True}
    onnx.save(model, str(tmp_path / "a.onnx"), **place)
    image = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    beside, plain = load(tmp_path / "a.onnx"), load(tmp_path / "plain.onnx")
    assert beside.features(image).tobytes() == plain.features(image).tobytes()


def test_a_cut_and_a_missing_file_are_refused(tmp_path):
    path = tiny_backbone(tmp_path / "a.onnx")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError):
        load(path)
    with pytest.raises(DataError, match="the backbone cannot be read: No such file"):
        load(tmp_path / "b.onnx")


def test_weights_in_a_file_beside_it_are_read_and_counted(tmp_path):
    plain = load(tiny_backbone(tmp_path / "plain.onnx"))
    place = {"save_as_external_data": True, "location": "a.data", "size_threshold": 0}
    onnx.save(tiny_model(), str(tmp_path / "a.onnx"), **place)
    beside = load(tmp_path / "a.onnx")
    image = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    assert beside.features(image).tobytes() == plain.features(image).tobytes()
    onnx.save(tiny_model(seed=1), str(tmp_path / "b.onnx"), **(place | {"location": "b.data"}))
    (tmp_path / "b.data").replace(tmp_path / "a.data")
    with pytest.raises(WeightsError, match="this is not the backbone of the weights"):
        reopen_backbone(str(tmp_path / "a.onnx"), beside.spec)
    (tmp_path / "a.data").unlink()
    with pytest.raises(DataError, match=r"its weights are in the file 'a\.data' beside it"):
        load(tmp_path / "a.onnx")


@pytest.mark.parametrize("location", ["../a.data", "/etc/passwd", "link.data"])
def test_weights_elsewhere_are_refused(tmp_path, location):
    (tmp_path / "secret").write_bytes(bytes(1000))
    (tmp_path / "models").mkdir()
    (tmp_path / "models/link.data").symlink_to(tmp_path / "secret")
    model = tiny_model()
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
    (tmp_path / "models/a.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match="which is not a file in its own folder"):
        load(tmp_path / "models/a.onnx")
