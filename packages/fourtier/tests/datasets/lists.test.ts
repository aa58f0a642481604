/** Protects: lists of MMAction2, VideoMAE and UniFormerV2, and Hugging Face's video folders, however they separate their fields. */

import { describe, expect, test } from "vitest"
import { told, trees, VIDEO } from "./tree.ts"

const tree = trees()

describe("lists", () => {
  test("of MMAction2: paths with spaces, names from a label map, a root before the paths", async () => {
    const { read } = tree({
      "annotations/label_map.txt": "wave\njump, high\n",
      "annotations/x_train_list_videos.txt": "wave/anna 1.mp4 0\r\njump/b.mp4 1\r\n",
      "annotations/x_val_list_videos.txt": "data/x/videos/wave/gone.mp4 0\ndata/x/videos/wave/c.mp4 0\n",
      "videos/wave/anna 1.mp4": VIDEO,
      "videos/jump/b.mp4": VIDEO,
      "videos/wave/c.mp4": VIDEO,
    })
    const { source, report } = await read("mmaction2")
    expect(told(source)).toEqual([
      ["videos/jump/b.mp4", "jump, high", "train"],
      ["videos/wave/anna 1.mp4", "wave", "train"],
      ["videos/wave/c.mp4", "wave", "val"],
    ])
    expect(report.missing).toEqual(["data/x/videos/wave/gone.mp4"])
  })

  test.each([
    ["spaces", "v/a b.mp4 0\nv/c.mp4 1\n"],
    ["commas", "v/a b.mp4,0\nv/c.mp4,1\n"],
    ["quotes", '"v/a b.mp4",0\nv/c.mp4,1\n'],
    ["tabs", "v/a b.mp4\t0\r\nv/c.mp4\t1\r\n"],
    ["a header", "path,label\nv/a b.mp4,0\nv/c.mp4,1\n"],
    ["absolute paths of another machine", "/mnt/k400/v/a b.mp4 0\n/mnt/k400/v/c.mp4 1\n"],
  ])("of VideoMAE with %s", async (_, text) => {
    const { read } = tree({ "train.csv": text, "v/a b.mp4": VIDEO, "v/c.mp4": VIDEO })
    const { source, report } = await read("videomae")
    expect(told(source)).toEqual([
      ["v/a b.mp4", "0", "train"],
      ["v/c.mp4", "1", "train"],
    ])
    expect(report.notes.join()).toMatch(/classes are numbers/)
  })

  test("labels in words, lists for pretraining, a test list that is the validation list", async () => {
    const words = tree({ "train.csv": "a.mp4,wave\n", "a.mp4": VIDEO })
    expect(told((await words.read("videomae")).source)).toEqual([["a.mp4", "wave", "train"]])
    const pretraining = tree({ "train.csv": "a.mp4 0 -1\n", "a.mp4": VIDEO })
    expect(told((await pretraining.read("videomae")).source)).toEqual([["a.mp4", "train"]])
    const same = tree({ "val.csv": "a.mp4 0\n", "test.csv": "a.mp4 0\n", "a.mp4": VIDEO })
    const { source, report } = await same.read("videomae")
    expect(told(source)).toEqual([["a.mp4", "0", "test"]])
    expect(report.notes.join()).toMatch(/the parts val, test list the same clips/)
  })

  test("a list by the part that the user names, and classes from JSON", async () => {
    const { read, root } = tree({ "split1.txt": "a.mp4 1\n", "names.json": '{"wave": 0, "jump": 1}', "a.mp4": VIDEO })
    const request = { annotations: [`val=${root}/split1.txt`], classes: `${root}/names.json` }
    expect(told((await read("mmaction2", request)).source)).toEqual([["a.mp4", "jump", "val"]])
    await expect(read("mmaction2", { annotations: [`${root}/none.txt`] })).rejects.toThrow(/no such annotation file/)
  })

  test("folders of frames, several labels, numbers without a name and no list are named", async () => {
    const from = (text: string) => tree({ "train.txt": text, "a.mp4": VIDEO })
    await expect(from("frames/a 250 1\n").read("mmaction2")).rejects.toThrow(
      /train\.txt:1: a list of folders of frames/,
    )
    await expect(from("a.mp4 1 5 7\n").read("mmaction2")).rejects.toThrow(/several labels/)
    const { read, root } = tree({ "train.txt": "a.mp4 2\n", "names.txt": "wave\njump\n", "a.mp4": VIDEO })
    await expect(read("mmaction2", { classes: `${root}/names.txt` })).rejects.toThrow(
      /no name for the class 2[\s\S]*0 to 1/,
    )
    await expect(tree({ "a.mp4": VIDEO }).read("mmaction2")).rejects.toThrow(/no list of clips/)
  })
})

describe("video folders of Hugging Face", () => {
  test("metadata in the folders of the parts, further columns, files of no metadata", async () => {
    const { read } = tree({
      "train/metadata.csv": 'file_name,label,text\na.mp4,wave,"a man, waving"\nsub/b.mp4,jump,\n',
      "train/a.mp4": VIDEO,
      "train/sub/b.mp4": VIDEO,
      "train/more.mp4": VIDEO,
      "test/metadata.jsonl": '{"file_name": "c.mp4", "label": "wave"}\n{"file_name": "gone.mp4", "label": "wave"}\n',
      "test/c.mp4": VIDEO,
    })
    const { source, report } = await read("huggingface")
    expect(told(source)).toEqual([
      ["test/c.mp4", "wave", "test"],
      ["train/a.mp4", "wave", "train"],
      ["train/sub/b.mp4", "jump", "train"],
    ])
    expect(source.clips[1].columns.text).toBe("a man, waving")
    expect(report.missing).toEqual(["test/gone.mp4"])
    expect(report.notes.join()).toMatch(/1 video files are in no metadata: train\/more\.mp4/)
  })

  test("numbers named in README.md, one table for all parts", async () => {
    const readme = [
      "---",
      "dataset_info:",
      "  features:",
      "  - name: video",
      "    dtype: video",
      "  - name: label",
      "    dtype:",
      "      class_label:",
      "        names:",
      "          '0': wave",
      "          '1': jump",
      "---",
      "# Clips",
    ].join("\n")
    const { read } = tree({
      "README.md": readme,
      "metadata.jsonl": '{"video_file_name": "validation/a.mp4", "label": 1}\n',
      "validation/a.mp4": VIDEO,
    })
    expect(told((await read("huggingface")).source)).toEqual([["validation/a.mp4", "jump", "val"]])
  })

  test("class folders without metadata, and Parquet said", async () => {
    const folders = tree({ "train/wave/a.mp4": VIDEO, "data/test/jump/b.mp4": VIDEO })
    expect(told((await folders.read("huggingface")).source)).toEqual([
      ["data/test/jump/b.mp4", "jump", "test"],
      ["train/wave/a.mp4", "wave", "train"],
    ])
    await expect(tree({ "data/train-0.parquet": "PAR1" }).read("huggingface")).rejects.toThrow(
      /Parquet are not read[\s\S]*to_csv/,
    )
    await expect(tree({ "metadata.csv": "name,class\na,b\n" }).read("huggingface")).rejects.toThrow(
      /no column names the files/,
    )
  })
})
