"""The user's own images: found, listed as tasks, and read."""

import os
import re
import shutil
from pathlib import Path

import pytest

from bench import registry
from bench.errors import DataError, UnknownName
from bench.streams import Streams
from bench.tickets.conformance import check_learner
from domains.vision import datasets, domain
from domains.vision.datasets import own
from domains.vision.examples import examples


def mine():
    return {key: task for key, task in domain.tasks().items() if key.partition("@")[0].endswith("-flowers")}


@pytest.fixture
def flowers(data_folder, write_images) -> Path:
    return write_images(data_folder / "flowers", train=10, test=4)


def test_a_folder_is_a_task(flowers):
    (task,) = mine().values()
    assert task.key == "vision/slim-vgg-flowers@small"
    assert task.data == {"flowers": own.facts(flowers).digest}
    assert (task.config["classes"], task.config["validation"], task.chance) == (2, 2, 50.0)
    assert check_learner(domain, task) == []


def test_without_a_data_folder_it_is_said_that_own_images_need_one(flowers, monkeypatch):
    assert domain.unlisted() is None
    monkeypatch.delenv("TICKETBENCH_DATA")
    with pytest.raises(UnknownName, match="; tasks of your own images need TICKETBENCH_DATA: set it to the folder"):
        registry.task("vision/slim-vgg-flowers", "small")


@pytest.mark.parametrize("place", ["flowers.zip", "flowers/anything.zip"])
def test_a_zip_is_the_same_task(data_folder, flowers, zipped, tmp_path, place):
    before = mine()
    kept = flowers.rename(tmp_path / "kept")
    (data_folder / place).parent.mkdir(exist_ok=True)
    zipped(kept, data_folder / place)
    assert mine() == before
    (task,) = mine().values()
    domain.learner(task, streams=Streams(0), device="cpu").train(2)


def test_chance_is_the_share_of_the_most_frequent_class(flowers):
    for number in range(3):
        (flowers / "test" / "cat" / f"{number}.png").unlink()
    (task,) = mine().values()
    assert task.chance == 80.0


def test_a_validation_split_is_used_as_it_is(flowers, write_images, tmp_path):
    write_images(tmp_path / "more", train=3, test=1)
    (tmp_path / "more" / "train").rename(flowers / "val")
    (task,) = mine().values()
    assert task.config["validation"] == 0
    learner = domain.learner(task, streams=Streams(0), device="cpu")
    assert {split: len(each) for split, each in learner._splits.items()} == {"train": 20, "val": 6, "test": 8}


def test_every_model_of_torchvision_that_is_asked_for_is_a_task(data_folder, flowers):
    (data_folder / "flowers.models").write_text("resnet18\nmobilenet_v3_small\n")
    assert list(mine()) == [
        "vision/slim-vgg-flowers@small", "vision/resnet18-flowers@small", "vision/mobilenet_v3_small-flowers@small"
    ]  # fmt: skip
    learner = domain.learner(mine()["vision/resnet18-flowers@small"], streams=Streams(0), device="cpu")
    learner.train(1)
    assert learner.module.output.weight.shape == (2, 512)


def test_a_model_that_does_not_exist_is_named_when_it_is_built(data_folder, flowers):
    (data_folder / "flowers.models").write_text("resnet81")
    with pytest.raises(UnknownName, match="unknown model of torchvision 'resnet81': did you mean 'resnet1"):
        domain.learner(mine()["vision/resnet81-flowers@small"], streams=Streams(0), device="cpu")


def warned(capsys):
    own.warn.cache_clear()
    domain.tasks()
    return capsys.readouterr().err


def test_a_model_that_cannot_see_such_images_is_told_when_tasks_are_listed(data_folder, flowers, write_images, capsys):
    (data_folder / "flowers.models").write_text("alexnet\nresnet18\nvit_b_16\n")
    assert warned(capsys).splitlines() == [
        "warning: vision/alexnet-flowers is not listed: torchvision:alexnet needs images of 63 or more pixels a side, not 16x16",
        "warning: vision/vit_b_16-flowers is not listed: torchvision:vit_b_16 needs images of 224 pixels a side, not 16x16",
    ]
    assert list(mine()) == ["vision/slim-vgg-flowers@small", "vision/resnet18-flowers@small"]


def test_what_cannot_be_used_is_told_in_one_line_and_the_others_are_listed(data_folder, flowers, write_images, capsys):
    write_images(data_folder / "odd name")
    (write_images(data_folder / "broken") / "test" / "dog").rename(data_folder / "broken" / "test" / "bird")
    (data_folder / "no.zip").write_bytes(b"no zip")
    (data_folder / "flowers.models").write_text("resnet18")
    lines = warned(capsys).splitlines()
    assert [line.split(":")[0] for line in lines] == ["warning"] * 3
    for line, words in zip(lines, ("has the class 'bird'", "as a zip archive", "name it with letters"), strict=True):
        assert words in line
    assert len(mine()) == 2
    (data_folder / "flowers.models").write_text("../../resnet18\nresnet34")
    assert "names of torchvision's classification models" in warned(capsys)
    assert "vision/slim-vgg-flowers@small" in mine(), "a bad line costs its own model alone"
    assert "vision/resnet34-flowers@small" in mine()


def test_classes_without_splits_are_told(data_folder, write_images, capsys):
    (write_images(data_folder / "whole") / "train").rename(data_folder / "flat")
    flat, whole = warned(capsys).splitlines()
    assert "flat is not listed: it holds classes and no splits; images lie in <split>/<class>/" in flat
    assert "whole is not listed: it holds classes, and none in train/; images lie in <split>/<class>/" in whole


@pytest.mark.parametrize("name", ["Train", "training", "seg_train"])
def test_a_split_of_another_name_is_told(data_folder, write_images, capsys, name):
    folder = write_images(data_folder / "whole")
    (folder / "train").rename(folder / name)
    (line,) = warned(capsys).splitlines()
    assert "whole is not listed: it holds classes, and none in train/; images lie in <split>/<class>/" in line
    (folder / "test").rename(folder / "testing")
    assert "whole is not listed" in warned(capsys)


def test_folders_that_hold_something_else_are_no_sets_of_images(data_folder, capsys):
    (data_folder / "corpus").mkdir()
    (data_folder / "corpus" / "train.en").write_text("text")
    (data_folder / "arrays" / "train").mkdir(parents=True)
    (data_folder / "arrays" / "train" / "x.npy").write_bytes(b"")
    (data_folder / "file.txt").write_text("")
    assert own.found(()) == {}
    assert warned(capsys) == ""


def test_what_a_set_holds_is_found_once(flowers, monkeypatch):
    before = mine()
    monkeypatch.setattr(own.images, "digest", None)
    assert mine() == before


def test_files_are_looked_at_once_in_a_process(flowers, monkeypatch):
    before, looked, state = mine(), [], own._state
    monkeypatch.setattr(own, "_state", lambda path: looked.append(Path(path)) or state(path))
    assert mine() == before
    assert sorted(looked) == sorted([flowers, *flowers.glob("*/*")]), "folders alone"


@pytest.mark.parametrize("change", ["comes", "goes", "another name"])
def test_a_file_that_comes_or_goes_is_seen_at_once(flowers, change):
    (before,) = mine().values()
    path = flowers / "train" / "cat" / "0.png"
    if change == "comes":
        path.with_name("more.png").write_bytes(path.read_bytes())
    elif change == "goes":
        path.unlink()
    else:
        path.rename(path.with_name("other.png"))
    (after,) = mine().values()
    assert before.data != after.data


def test_a_changed_image_is_another_data_set(flowers, write_images, tmp_path):
    (before,) = mine().values()
    path = flowers / "train" / "cat" / "0.png"
    path.write_bytes((flowers / "train" / "cat" / "1.png").read_bytes())
    own._facts_of.cache_clear()  # another process
    (after,) = mine().values()
    assert before.data != after.data
    with pytest.raises(DataError, match="is not what the task was defined on"):
        domain.learner(before, streams=Streams(0), device="cpu")


def test_images_that_were_decoded_are_there_without_their_files(flowers, tmp_path):
    (task,) = mine().values()
    domain.learner(task, streams=Streams(0), device="cpu")
    flowers.rename(tmp_path / "gone")
    examples._load.cache_clear()
    domain.learner(task, streams=Streams(0), device="cpu").train(2)


def test_a_missing_set_is_named_with_every_way_to_provide_it(data_folder, monkeypatch):
    task = domain.tasks()["vision/slim-cifar10a@smoke"]
    for missing in (False, True):
        if missing:
            monkeypatch.delenv("TICKETBENCH_DATA")
        with pytest.raises(DataError, match="cifar10-jpeg was not found") as caught:
            domain.learner(task, streams=Streams(0), device="cpu")
        message = str(caught.value)
        for way in ("TICKETBENCH_DATA", "cifar10-jpeg/", "cifar10-jpeg.zip", "one zip", "<split>/<class>/"):
            assert way in message
        assert "\n" not in message


def test_a_folder_under_the_name_of_a_built_in_set_is_that_set(data_folder, write_images):
    write_images(data_folder / "cifar10-jpeg")
    assert own.found(tuple(datasets.DIGESTS)) == {}
    with pytest.raises(DataError, match="is not what the task was defined on"):
        datasets.read("cifar10-jpeg", datasets.DIGESTS["cifar10-jpeg"])


@pytest.mark.parametrize("name", ["../flowers", "", ".", "a/b"])
def test_a_name_that_leads_elsewhere_is_not_followed(flowers, name):
    with pytest.raises(DataError, match="was not found"):
        own.find(name)


# What one set does not do to all others.


def test_a_name_that_is_no_text_costs_no_other_task(flowers, capsys):
    (Path(os.fsdecode(os.fsencode(flowers / "train" / "cat") + b"/caf\xe9"))).mkdir()
    assert list(mine()) == ["vision/slim-vgg-flowers@small"]
    (flowers / "train" / "dog" / "0.png").rename(os.fsdecode(os.fsencode(flowers / "train" / "dog") + b"/\xe9.png"))
    assert "unprintable name" in warned(capsys)
    assert mine() == {}
    assert "vision/lenet-mnist@smoke" in domain.tasks()


@pytest.mark.parametrize("closed", ["train", "flowers", "cat"])
def test_a_closed_folder_is_told_and_costs_no_other_task(flowers, monkeypatch, capsys, closed):
    def shut(real):
        def opened(path, *args):
            if Path(path).name == closed:
                raise PermissionError(13, "Permission denied", os.fspath(path))
            return real(path, *args)

        return opened

    monkeypatch.setattr(Path, "iterdir", shut(Path.iterdir))
    monkeypatch.setattr(Path, "glob", shut(Path.glob))
    monkeypatch.setattr(os, "scandir", shut(os.scandir))
    assert re.search(rf"warning: cannot read \S+/{closed}: Permission denied\n", warned(capsys))
    assert "vision/lenet-mnist@smoke" in domain.tasks()


def test_a_broken_link_is_named(flowers, capsys):
    (flowers / "train" / "cat" / "x.png").symlink_to("gone.png")
    assert warned(capsys) == f"warning: cannot read {flowers}/train/cat/x.png: No such file or directory\n"


@pytest.mark.parametrize("where", ["flowers", "two"])
def test_a_set_that_lies_there_twice_is_told(data_folder, flowers, zipped, capsys, where):
    (data_folder / where).mkdir(exist_ok=True)
    zipped(flowers, data_folder / where / "a.zip")
    if where == "two":
        zipped(flowers, data_folder / where / "b.zip")
    told = "a.zip and b.zip" if where == "two" else "train/ and a.zip"
    assert (
        warned(capsys) == f"warning: {data_folder / where} holds two sets of images, {told}: keep one of them there\n"
    )
    with pytest.raises(DataError, match="holds two sets of images"):
        own.find(where)


@pytest.mark.parametrize(
    ("classes", "train", "told"),
    [(1, 10, "all its images are of one class"), (2, 2, "3 images are left to train with; 4 or more are needed")],
)
def test_what_nothing_can_be_learned_of_is_told(data_folder, write_images, capsys, classes, train, told):
    folder = write_images(data_folder / "flowers", train=train, test=1)
    if classes == 1:
        for split in ("train", "test"):
            shutil.rmtree(folder / split / "dog")
    assert told in warned(capsys)
    assert mine() == {}


def test_the_fewest_images_are_trained_on(data_folder, write_images):
    folder = write_images(data_folder / "flowers", train=3, test=1)
    (folder / "train" / "dog" / "2.png").unlink()
    (data_folder / "flowers.models").write_text("resnet18", encoding="utf-8-sig")
    for task in mine().values():
        domain.learner(task, streams=Streams(0), device="cpu").train(2)
    assert len(mine()) == 2


def test_own_images_pass_for_no_scale_of_a_built_in_task(data_folder, write_images, capsys):
    write_images(data_folder / "cifar10")
    (data_folder / "cifar10.models").write_text("resnet50\nresnet18")
    assert "vision/resnet50-cifar10 of your own images is not listed: a built-in task has that name" in warned(capsys)
    assert {task.source for task in domain.tasks().values() if task.name == "vision/resnet50-cifar10"} != {"this suite"}
    assert "vision/resnet50-cifar10@small" not in domain.tasks()
    assert "vision/resnet18-cifar10@small" in domain.tasks()
