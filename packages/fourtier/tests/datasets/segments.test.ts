/** Protects: labelled stretches of long videos, as other tools export them, with the background between them. */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { describe, expect, test } from "vitest"
import { datasetNamed } from "../../src/datasets/list.ts"
import { writeDataset } from "../../src/datasets/write.ts"
import { makeClip, scratchFolder } from "../video/fixtures.ts"
import { trees } from "./tree.ts"

const tree = trees()
const folder = scratchFolder()
/** Ten seconds at 10 frames a second. */
const LONG = readFileSync(makeClip(join(folder, "long.mp4"), { frames: 100, fps: 10 }))

type Told = [label: string, start: number | null, end: number | null, split?: string | null]

async function read(
  name: string,
  files: Readonly<Record<string, string>>,
  request: Parameters<ReturnType<typeof tree>["read"]>[1] = {},
) {
  const { report, source } = await tree({ "videos/long.mp4": LONG, ...files }).read(name, request)
  const told = source.clips.map(({ labels: [label], start, end, split }): Told => [label, start, end, split])
  return { report, told, groups: new Set(source.clips.map(({ group }) => group)) }
}

describe("segments", () => {
  test("of ActivityNet's JSON: subsets are parts, ends beyond the video's are cut, missing videos counted", async () => {
    const database = {
      long: {
        subset: "training",
        duration: 10,
        annotations: [
          { segment: [1, 3.5], label: "jump, high" },
          { segment: [6, 12], label: "wave" },
        ],
      },
      gone: { subset: "validation", duration: 5, annotations: [{ segment: [0, 2], label: "wave" }] },
      test: { subset: "testing", annotations: [] },
    }
    const { told, report, groups } = await read("activitynet", {
      "a.json": JSON.stringify({ version: "1.3", database }),
    })
    expect(told).toEqual([
      ["jump, high", 1, 3.5, "train"],
      ["wave", 6, 10, "train"],
    ])
    expect(groups).toEqual(new Set(["videos/long.mp4"]))
    expect(report.parts.get("val")).toMatchObject({ missing: 1 })
    expect(report.notes.join()).toMatch(/2 videos not there: gone, test/)
  })

  test("the background: stretches between labels, in pieces as long as the labels, none on a label", async () => {
    const csv = "video,label,start,end\nvideos/long.mp4,jump,2,4\nvideos/long.mp4,wave,0:03.5,00:00:06\n"
    const { told } = await read("segments", { "s.csv": csv }, { background: "none" })
    expect(told).toEqual([
      ["none", 0, 2, null],
      ["jump", 2, 4, null],
      ["wave", 3.5, 6, null],
      ["none", 6, 8.5, null],
      ["none", 8.5, 10, null],
    ])
  })

  test("windows: labelled by their middle, none next to a change, between two labels or across two parts", async () => {
    const csv =
      "path,label,start,end,split\nlong.mp4,jump,2,4,train\nlong.mp4,wave,3.5,6,train\nlong.mp4,jump,8.6,9.9,test\n"
    const windows = { length: 1, stride: 0.5 }
    expect((await read("segments", { "s.csv": csv }, { background: "none", windows })).told).toEqual([
      ["none", 0, 1, "train"],
      ["none", 0.5, 1.5, "train"],
      ["none", 1, 2, "train"],
      ["jump", 2, 3, "train"],
      ["jump", 2.5, 3.5, "train"],
      ["wave", 4, 5, "train"],
      ["wave", 4.5, 5.5, "train"],
      ["wave", 5, 6, "train"],
      ["none", 6, 7, "train"],
      ["none", 6.5, 7.5, "train"],
      ["none", 7, 8, "train"],
      ["none", 7.5, 8.5, "train"],
      ["jump", 8.5, 9.5, "test"],
      ["jump", 9, 10, "test"],
    ])
    const alone = await read("segments", { "s.csv": csv }, { windows: { length: null, stride: null } })
    // as long as the labels are in the median, 2 s
    expect(alone.told).toEqual([
      ["jump", 2, 4, "train"],
      ["wave", 4, 6, "train"],
      ["jump", 8, 10, "test"],
    ])
  })

  test("the table that was written is no annotation of the next run, and annotations are not written over", async () => {
    const { root } = tree({ "long.mp4": LONG, "s.csv": "path,label,start,end\nlong.mp4,jump,2,4\n", "other.txt": "x" })
    const again = () => writeDataset(datasetNamed("segments"), { root, background: "none" }, `${root}/out.csv`, silent)
    expect((await again()).written).toBe((await again()).written)
    const over = writeDataset(datasetNamed("segments"), { root }, `${root}/other.txt`, silent)
    await expect(over).rejects.toThrow(/other\.txt: there is another file/)
  })

  test("a plain table in frames, without an end, and with the rate that the tool counted with", async () => {
    const csv = "file,class,start_frame,end_frame,split\nlong.mp4,jump,10,30,train\nlong.mp4,wave,50,,test\n"
    expect((await read("segments", { "s.csv": csv })).told).toEqual([
      ["jump", 1, 3, "train"],
      ["wave", 5, null, "test"],
    ])
    expect((await read("segments", { "s.csv": csv }, { frameRate: 20 })).told[0]).toEqual(["jump", 0.5, 1.5, "train"])
    await expect(read("segments", { "s.csv": "path,label,start,end\nlong.mp4,a,x,2\n" })).rejects.toThrow(
      /s\.csv:2: column start is not a time/,
    )
    await expect(read("segments", { "s.csv": "path,label,start,end\nlong.mp4,a,3,2\n" })).rejects.toThrow(
      /s\.csv:2: a label without a length/,
    )
    await expect(read("segments", { "s.csv": "name,start,end\na,1,2\n" })).rejects.toThrow(/no table of segments/)
  })

  test("of Label Studio: frames from 1, uploads' names, cancelled annotations, seconds", async () => {
    const range = (start: number, end: number, label: string) => ({
      type: "timelinelabels",
      value: { ranges: [{ start, end }], timelinelabels: [label] },
    })
    const tasks = [
      {
        id: 7,
        data: { video: "/data/upload/3/1a2b3c4d-long.mp4" },
        annotations: [
          { was_cancelled: true, result: [range(1, 100, "never")] },
          {
            was_cancelled: false,
            result: [
              range(1, 20, "jump"),
              { type: "labels", value: { start: 5, end: 6.5, labels: ["wave"] } },
              { type: "choices", value: { choices: ["x"] } },
            ],
          },
        ],
      },
    ]
    const { told, report } = await read("label-studio", { "export.json": JSON.stringify(tasks) })
    expect(told).toEqual([
      ["jump", 0, 2, null],
      ["wave", 5, 6.5, null],
    ])
    expect(report.notes.join()).toMatch(/--frame-rate/)
    await expect(read("label-studio", {})).rejects.toThrow(/no export of Label Studio/)
  })

  test("of CVAT: tracks until they are outside, up to the end, and again; tags of frames in a row", async () => {
    const box = (frame: number, outside: 0 | 1) =>
      `<box frame="${frame}" outside="${outside}" occluded="0" keyframe="1" xtl="0" ytl="0" xbr="9" ybr="9"/>`
    const xml = `<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><name>t</name><size>100</size><source>long.mp4</source></task></meta>
<track id="0" label="jump &amp; run">${box(10, 0)}${box(20, 0)}${box(30, 1)}${box(50, 0)}${box(60, 1)}</track>
<track id="1" label="wave">${box(80, 0)}</track>
<image id="0" name="f0"><tag label="idle" source="manual"/></image><image id="1" name="f1"><tag label="idle"/></image><image id="5" name="f5"><tag label="idle"/></image>
</annotations>`
    const { told } = await read("cvat", { "annotations.xml": xml })
    expect(told).toEqual([
      ["idle", 0, 0.2, null],
      ["idle", 0.5, 0.6, null],
      ["jump & run", 1, 3, null],
      ["jump & run", 5, 6, null],
      ["wave", 8, null, null],
    ])
    await expect(read("cvat", { "a.xml": "<annotations><track>" })).rejects.toThrow(/a\.xml:1: not well-formed XML/)
  })

  test("of ELAN: milliseconds from the media's origin, tiers, annotations without times", async () => {
    const eaf = `<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/films/long.mp4" MIME_TYPE="video/mp4" RELATIVE_MEDIA_URL="./long.mp4" TIME_ORIGIN="500"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2250"/><TIME_SLOT TIME_SLOT_ID="ts3"/></TIME_ORDER>
<TIER TIER_ID="actions"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2"><ANNOTATION_VALUE>öffnet Tür</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3"><ANNOTATION_VALUE>lost</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="speech"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2"><ANNOTATION_VALUE>hello</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
</ANNOTATION_DOCUMENT>`
    const { told } = await read("elan", { "a.eaf": eaf }, { tier: "actions" })
    expect(told).toEqual([["öffnet Tür", 1.5, 2.75, null]])
    await expect(read("elan", { "a.eaf": eaf })).rejects.toThrow(/several tiers[\s\S]*actions, speech/)
    await expect(read("elan", { "a.eaf": eaf }, { tier: "none" })).rejects.toThrow(
      /no tier "none"[\s\S]*actions, speech/,
    )
  })

  test("of VIA: temporal segments with the names of their options, regions passed over", async () => {
    const project = {
      project: { pid: "x" },
      attribute: { "1": { aname: "ACTION", type: 4, options: { "0": "jump", "1": "wave" } } },
      file: { "1": { fid: "1", fname: "long.mp4", type: 4, loc: 1, src: "" } },
      view: { "1": { fid_list: ["1"] } },
      metadata: {
        "1_a": { vid: "1", flg: 0, z: [1.25, 3], xy: [], av: { "1": "1" } },
        "1_b": { vid: "1", flg: 0, z: [2.0], xy: [2, 1, 1, 5, 5], av: { "1": "0" } },
      },
    }
    expect((await read("via", { "project.json": JSON.stringify(project) })).told).toEqual([["wave", 1.25, 3, null]])
    await expect(read("via", {})).rejects.toThrow(/no project of VIA 3/)
  })

  test("of X-AnyLabeling's sidecars: milliseconds, each beside its video; those of images are none", async () => {
    const sidecar = {
      ...{ version: "1.0.0", type: "video_classification", video: "long.mp4", fps: 10, duration_ms: 10_000 },
      ...{ width: 64, height: 48, labels: ["run", "walk"], label_colors: { run: "#ff7f0e" } },
      segments: [
        { id: "s1", label: "run", start_ms: 1000, end_ms: 3500, start_frame: 10, end_frame: 35, description: "" },
        { id: "s2", label: "", start_ms: 4000, end_ms: 5000, start_frame: 40, end_frame: 50, description: "" },
        { id: "s3", label: "walk", start_ms: 6000, end_ms: 12_000, start_frame: 60, end_frame: 120, description: "" },
      ],
    }
    const image = { version: "4.0.0", flags: {}, shapes: [], imagePath: "a.jpg" }
    const files = { "videos/long.json": JSON.stringify(sidecar), "videos/a.json": JSON.stringify(image) }
    expect((await read("x-anylabeling", files)).told).toEqual([
      ["run", 1, 3.5, null],
      ["walk", 6, 10, null],
    ])
    await expect(read("x-anylabeling", { "a.json": JSON.stringify(image) })).rejects.toThrow(/video_classification/)
  })
})
