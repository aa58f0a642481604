/** Protects: Kinetics as it is distributed and downloaded: every clip that is there with its label and part, the others counted. */

import { describe, expect, test } from "vitest"
import { mergedLabel } from "../../src/datasets/kinetics710.ts"
import { told, trees, VIDEO } from "./tree.ts"

const tree = trees()
const HEAD = "label,youtube_id,time_start,time_end,split\n"
const TRAIN = `${HEAD}abseiling,-3B32lodo2M,59,69,train\r\n"massaging person's head",_0aB-cD3fGh,5,15,train\r\nwaxing chest,gone0000001,0,10,train\r\n`

describe("Kinetics", () => {
  test("in class folders, flat, with two endings, by the video's id; missing clips are counted", async () => {
    const { read } = tree({
      "annotations/kinetics_train.csv": TRAIN,
      "annotations/kinetics_val.csv": `${HEAD}abseiling,val00000001,7,17,validate\n`,
      "train/abseiling/-3B32lodo2M_000059_000069.mp4": VIDEO,
      "train/massaging_person's_head/_0aB-cD3fGh_000005_000015.mp4.mkv": VIDEO,
      "val_256/val00000001.mp4": VIDEO,
    })
    const { report, source, table } = await read("kinetics400")
    expect(told(source)).toEqual([
      ["train/abseiling/-3B32lodo2M_000059_000069.mp4", "abseiling", "train"],
      ["train/massaging_person's_head/_0aB-cD3fGh_000005_000015.mp4.mkv", "massaging person's head", "train"],
      ["val_256/val00000001.mp4", "abseiling", "val"],
    ])
    expect(table).toContain("path,label,split,split_reported,group\n")
    expect(source.clips[2]).toMatchObject({ group: "val00000001", columns: { split_reported: "test" } })
    expect(report.missing).toEqual(["gone0000001_000000_000010.mp4"])
    expect(report.parts.get("train")).toMatchObject({ found: 2, missing: 1, unusable: 0 })
    expect(report.classes.get("waxing chest")).toMatchObject({ found: 0, missing: 1 })
    expect(report.notes.join("\n")).toMatch(/3 of the 400 classes[\s\S]*1 clip is named by the video alone/)
  })

  test("whole videos give windows", async () => {
    const { read } = tree({ "train.csv": TRAIN, "-3B32lodo2M.mp4": VIDEO })
    const { source } = await read("kinetics400", { wholeVideos: true })
    expect(source.clips[0]).toMatchObject({ start: 59, end: 69 })
  })

  test("held-out clips without a label are no training clips", async () => {
    const { read } = tree({
      "train.csv": TRAIN,
      "test.csv": "youtube_id,time_start,time_end,split\ntest0000001,1,11,test\n",
      "-3B32lodo2M_000059_000069.mp4": VIDEO,
      "test0000001_000001_000011.mp4": VIDEO,
    })
    const { report, source } = await read("kinetics400")
    expect(source.clips).toHaveLength(1)
    expect(report.parts.get("test")).toMatchObject({ unlabelled: 1, found: 0 })
  })

  test("files that are empty, cut short, a web page or a pointer are unusable, each with its reason", async () => {
    const ids = ["empty000001", "cut00000001", "html0000001", "lfs00000001"]
    const rows = ids.map((id) => `jump,${id},0,10,train\n`).join("")
    const ftyp = Buffer.concat([
      Buffer.from([0, 0, 0, 24]),
      Buffer.from("ftypisom"),
      Buffer.alloc(12),
      Buffer.from([0, 1, 0, 0]),
      Buffer.from("mdat"),
    ])
    const { read } = tree({
      "train.csv": `${HEAD}jump,good0000001,0,10,train\n${rows}`,
      "good0000001_000000_000010.mp4": VIDEO,
      "empty000001_000000_000010.mp4": "",
      "cut00000001_000000_000010.mp4": ftyp,
      "html0000001_000000_000010.mp4": "<!DOCTYPE html><title>404</title>",
      "lfs00000001_000000_000010.mp4": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
      "next0000001_000000_000010.mp4.part": "half",
    })
    const { report } = await read("kinetics400")
    expect(report.parts.get("train")).toMatchObject({ found: 1, unusable: 4 })
    for (const reason of [/empty: ?|the file is empty/, /truncated/, /web page/, /Git LFS/]) {
      expect(report.reasons.join("\n")).toMatch(reason)
    }
    expect(report.notes.join("\n")).toMatch(/1 download not finished: next0000001/)
  })

  test("a clip listed twice counts once; in two parts it is held out, with two labels left out", async () => {
    const { read } = tree({
      "train.csv": `${HEAD}a,same0000001,0,10,train\na,same0000001,0,10,train\na,leak0000001,0,10,train\na,both0000001,0,10,train\nb,both0000001,0,10,train\n`,
      "val.csv": `${HEAD}a,leak0000001,0,10,val\n`,
      "same0000001_000000_000010.mp4": VIDEO,
      "leak0000001_000000_000010.mp4": VIDEO,
      "both0000001_000000_000010.mp4": VIDEO,
    })
    const { report, source } = await read("kinetics400")
    expect(told(source)).toEqual([
      ["leak0000001_000000_000010.mp4", "a", "val"],
      ["same0000001_000000_000010.mp4", "a", "train"],
    ])
    expect(report.repeated).toBe(3)
    expect(report.classes.get("a")).toMatchObject({ found: 2, contradictory: 1 })
    expect(report.notes.join("\n")).toMatch(/two parts[\s\S]*train\.csv:4[\s\S]*two labels[\s\S]*train\.csv:6/)
  })

  test("another edition's annotations, no annotations, a wrong folder and other columns are named", async () => {
    const classes = Array.from({ length: 600 }, (_, i) => `class ${i},id${i},0,10,train\n`).join("")
    const six = tree({ "train.csv": HEAD + classes, "id1_000000_000010.mp4": VIDEO })
    await expect(six.read("kinetics400")).rejects.toThrow(
      /train\.csv: the annotations are not those of Kinetics-400[\s\S]*Kinetics-600/,
    )
    expect((await six.read("kinetics600")).report.written).toBe(1)
    await expect(tree({ "a.mp4": VIDEO }).read("kinetics400")).rejects.toThrow(
      /no annotation files[\s\S]*1 video files such as a\.mp4/,
    )
    await expect(tree({ "train.csv": TRAIN, "other.mp4": VIDEO }).read("kinetics400")).rejects.toThrow(
      /none of the 3 clips[\s\S]*-3B32lodo2M_000059_000069\.mp4[\s\S]*other\.mp4/,
    )
    await expect(tree({ "train.csv": "path,label\na.mp4,x\n" }).read("kinetics400")).rejects.toThrow(
      /no column "youtube_id"/,
    )
    await expect(tree({ "train.csv": `${HEAD}a,id,now,10,train\n` }).read("kinetics400")).rejects.toThrow(
      /train\.csv:2: time_start is no time/,
    )
    const twice = tree({ "train.csv": TRAIN, "old/train.csv": TRAIN })
    await expect(twice.read("kinetics400")).rejects.toThrow(/two annotation files of the part "train"/)
    await expect(twice.read("kinetics400", { root: `${twice.root}/none` })).rejects.toThrow(/cannot be opened/)
  })
})

describe("Kinetics-710", () => {
  const editions = {
    "kinetics400/train.csv": `${HEAD}hugging,shared00001,0,10,train\njogging,leaked00001,0,10,train\n`,
    "kinetics400/val.csv": `${HEAD}jogging,held0000001,0,10,val\n`,
    "k600/train.csv": `${HEAD}hugging (not baby),shared00001,3,13,train\npicking fruit,fruit000001,0,10,train\n`,
    "kinetics700/train.csv": `${HEAD}jogging,held0000001,2,12,train\n`,
    "kinetics700/test.csv": `${HEAD},leaked00001,0,10,test\n`,
    "kinetics400/shared00001.mp4": VIDEO,
    "kinetics400/held0000001.mp4": VIDEO,
    "kinetics400/leaked00001.mp4": VIDEO,
    "k600/shared00001_000003_000013.mp4": VIDEO,
    "k600/fruit000001_000000_000010.mp4": VIDEO,
    "kinetics700/held0000001_000002_000012.mp4": VIDEO,
  }

  test("each video once, by its newest edition, names merged, none trained on that an edition holds out", async () => {
    const { read } = tree(editions)
    const { report, source } = await read("kinetics710")
    expect(told(source)).toEqual([
      ["k600/fruit000001_000000_000010.mp4", "picking apples", "train"],
      ["k600/shared00001_000003_000013.mp4", "hugging (not baby)", "train"],
      ["kinetics400/held0000001.mp4", "jogging", "val"],
    ])
    expect(report.notes.join("\n")).toMatch(/2 videos left out of training/)
  })

  test("a label map that lacks a class, and a missing edition, are named", async () => {
    const { read, root } = tree({ ...editions, "label_map_k710.txt": "jogging\npicking apples\n" })
    await expect(read("kinetics710", { classes: `${root}/label_map_k710.txt` })).rejects.toThrow(
      /lacks 1 class[\s\S]*hugging \(not baby\)/,
    )
    await expect(tree({ "kinetics400/train.csv": TRAIN }).read("kinetics710")).rejects.toThrow(
      /no annotation files of Kinetics-700/,
    )
  })

  test("the names of the published map", () => {
    expect(mergedLabel("throwing ball (not baseball or American football)")).toBe("throwing ball")
    expect(mergedLabel("abseiling")).toBe("abseiling")
  })
})
