"""Tables of files and labels."""

import pytest

from compare_gan.errors import UserError
from compare_gan.folders import find_images


def _found(tmp_path, text, name="labels.csv"):
    (tmp_path / name).write_bytes(text.encode())
    return find_images(str(tmp_path / name))


@pytest.mark.parametrize(
    "text",
    (
        "file,label\na/1.png,10\nb.png,9\n",
        "\ufeffLabel;Path\r\n10;a\\1.png\r\n9;b.png\r\n",
        "a/1.png,10\nb.png,9\n",
        'id,filename,class\n7,"a/1.png",10\n\n8,"b.png", 9\n',
    ),
)
def test_files_and_labels(tmp_path, text):
    found = _found(tmp_path, text)
    own = found.splits["all"]
    assert found.class_names == ("9", "10")
    assert (own.images, own.labels.tolist()) == (("a/1.png", "b.png"), [1, 0])
    assert found.storage.path("a/1.png") == str(tmp_path / "a/1.png")
    assert found.summary().endswith("labels.csv': 2 images, 2 classes (9: 1, 10: 1).")


def test_tabs_splits_and_images_without_a_label(tmp_path):
    text = "image\tclass\tsplit\na.png\tcat\tTrain\nb.png\t\ttrain\nc.png\tcat\tvalid\n"
    found = _found(tmp_path, text, "labels.TSV")
    assert list(found.splits) == ["train", "val"]
    assert found.splits["train"].labels.tolist() == [0, -1]
    assert found.counts("train").tolist() == [1]
    assert _found(tmp_path, "file\na.png\n").num_classes == 0
    (tmp_path / "a.png").write_bytes(b"content")
    assert found.storage.opener("a.png").read() == b"content"


def test_columns_of_tsv_are_divided_by_tabs(tmp_path):
    found = _found(tmp_path, "file\tlabel\na,b,c.png\tcat, small\n", "labels.tsv")
    assert (found.splits["all"].images, found.class_names) == (("a,b,c.png",), ("cat, small",))
    assert _found(tmp_path, "a,b,c.png\tcat\n", "b.tsv").splits["all"].images == ("a,b,c.png",)


def test_cells_in_quotation_marks_may_hold_lines(tmp_path):
    found = _found(tmp_path, 'file,label,notes\r\na.png,cat,"one\r\ntwo"\r\nb.png,cat,\u2028x\r\n')
    assert found.splits["all"].images == ("a.png", "b.png")


def test_the_summary_counts_images_without_a_class(tmp_path):
    found = _found(tmp_path, "file,label\na.png,cat\nb.png,\nc.png,\n")
    assert "3 images, 1 class (cat: 1); 2 images without a class." in found.summary()


@pytest.mark.parametrize(
    ("text", "sentence"),
    (
        ("", "names no file"),
        ("file,label\n", "names no file"),
        ("file,label\na.png,1\na.png,2\n", "names the file 'a.png' 2 times"),
        ("file,label\n,1\n", "A row of '.*' names no file: ,1"),
        ("file,label\na.png,1\n./a.png,2\n", "names the file 'a.png' 2 times"),
        ("file,category\na.png,1\n", "has no column 'label', but 'category': rename the column"),
        ("filename,label_name,id\na.png,a,1\n", "no column 'label', but 'label_name', 'id'"),
        ("image,split,target\na.png,train,1\n", "has no column 'label', but 'target'"),
        ("a.png,cat,train\nb.png,cat,test\n", "has 3 columns, but no row that names them: begin"),
        ("name,label\na.png,cat\n", "has no column 'file', but 'name', 'label': rename the column"),
        ("id;picture;category\n1;a.png;cat\n", "no column 'file', but 'id', 'picture', 'category'"),
        ("file,split\na.png,trian\n", "Unknown split in '.*' 'trian'. Did you mean 'train'"),
        ("file,split\na.png,train\nb.png,\n", "names the split of some files, but not of all"),
    ),
)
def test_mistakes_are_reported(tmp_path, text, sentence):
    with pytest.raises(UserError, match=sentence):
        _found(tmp_path, text)


def test_what_is_no_text_is_reported(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not text in UTF-8"):
        find_images(str(tmp_path / "a.csv"))
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(UserError, match=r"a folder, a \.zip, an \.npz or a \.csv"):
        find_images(str(tmp_path / "a.txt"))
    with pytest.raises(UserError, match="There is no file or folder"):
        find_images(str(tmp_path / "nothing.csv"))
