/** Protects: Something-Something V2, UCF-101, HMDB51 and UT-Interaction with their own annotation files and odd names. */

import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { hasShared, shared } from "../../../../tests/shared.ts"
import { tellsSides } from "../../src/video/mirroring.ts"
import { parseTable } from "../../src/video/tables.ts"
import { told, trees, VIDEO } from "./tree.ts"

const tree = trees()

describe("Something-Something V2", () => {
  const files = {
    "labels/labels.json": JSON.stringify({
      "Pushing something from left to right": "0",
      'Showing "that", something is inside something': "1",
    }),
    "labels/train.json": JSON.stringify([
      {
        id: "78687",
        label: "pushing a cup, from left to right",
        template: "Pushing [something] from left to right",
        placeholders: ["a cup"],
      },
      { id: "100", label: "x", template: 'Showing "that", [something] is inside [something]', placeholders: [] },
    ]),
    "labels/validation.json": JSON.stringify([
      { id: "7", label: "y", template: "Pushing [something] from left to right" },
    ]),
    "labels/test.json": JSON.stringify([{ id: "8" }, { id: "9" }]),
    "20bn-something-something-v2/78687.webm": VIDEO,
    "20bn-something-something-v2/7.webm": VIDEO,
    "20bn-something-something-v2/8.webm": VIDEO,
  }

  test("templates are labels, clips are not mirrored, a test clip without an answer is no clip", async () => {
    const { report, source } = await tree(files).read("something-v2")
    expect(told(source).map(([, ...rest]) => rest)).toEqual([
      ["Pushing something from left to right", "val"],
      ["Pushing something from left to right", "train"],
    ])
    expect(tellsSides(source.clips)).toBe(true)
    expect(source.clips[1].columns).toMatchObject({
      text: "pushing a cup, from left to right",
      split_reported: "train",
    })
    expect(report.missing).toEqual(["100.webm"])
    expect(report.parts.get("test")).toMatchObject({ unlabelled: 2 })
  })

  test("the test part's answers", async () => {
    const answers = '8;Showing "that", something is inside something\n9;Pushing something from left to right\n'
    const { source, report } = await tree({ ...files, "labels/test-answers.csv": answers }).read("something-v2")
    expect(
      told(source)
        .find(([path]) => path?.endsWith("/8.webm"))
        ?.slice(1),
    ).toEqual(['Showing "that", something is inside something', "test"])
    expect(report.missing).toContain("9.webm")
  })

  test("templates of another version, damaged JSON and missing files are named", async () => {
    const other = { ...files, "labels/labels.json": JSON.stringify({ "Doing something": "0" }) }
    await expect(tree(other).read("something-v2")).rejects.toThrow(
      /train\.json\[0\]: a template that is none of the labels/,
    )
    await expect(tree({ ...files, "labels/train.json": "[{" }).read("something-v2")).rejects.toThrow(
      /train\.json: not valid JSON/,
    )
    await expect(tree({ ...files, "labels/train.json": '[{"name": 1}]' }).read("something-v2")).rejects.toThrow(
      /not a list of clips/,
    )
    await expect(tree({ "labels.json": "{}" }).read("something-v2")).rejects.toThrow(/no train\.json/)
  })
})

describe("UCF-101", () => {
  test("three splits as columns, groups, and the files of HandstandPushups", async () => {
    const { read } = tree({
      "ucfTrainTestlist/classInd.txt": "1 ApplyEyeMakeup\r\n2 HandstandPushups\r\n",
      "ucfTrainTestlist/trainlist01.txt":
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\r\nHandstandPushups/v_HandStandPushups_g09_c02.avi 37\r\n",
      "ucfTrainTestlist/testlist01.txt": "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\r\n",
      "ucfTrainTestlist/trainlist02.txt": "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi 1\n",
      "ucfTrainTestlist/testlist02.txt":
        "HandstandPushups/v_HandStandPushups_g09_c02.avi\nApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi\n",
      "UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi": VIDEO,
      "UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi": VIDEO,
      "UCF-101/HandstandPushups/v_HandstandPushups_g09_c02.avi": VIDEO,
    })
    const { report, source } = await read("ucf101")
    expect(
      source.clips.map(({ labels, split, group, columns }) => [
        ...labels,
        split,
        columns.split1,
        columns.split2,
        columns.split3 ?? "",
        group,
      ]),
    ).toEqual([
      ["ApplyEyeMakeup", "test", "test", "train", "", "ApplyEyeMakeup_g01"],
      ["ApplyEyeMakeup", "train", "train", "test", "", "ApplyEyeMakeup_g08"],
      ["HandstandPushups", "train", "train", "test", "", "HandstandPushups_g09"],
    ])
    expect(report.missing).toEqual([])
    expect(report.notes.join()).toMatch(/no lists of split3/)
  })

  test("no lists, and a line that is none, are named", async () => {
    await expect(tree({ "a.avi": VIDEO }).read("ucf101")).rejects.toThrow(/no official splits of UCF-101/)
    await expect(tree({ "trainlist01.txt": "v_A_g01_c01.avi 1\n" }).read("ucf101")).rejects.toThrow(
      /trainlist01\.txt:1: not a row/,
    )
  })
})

describe("HMDB51", () => {
  const odd = [
    "#20_Rhythm_clap_u_nm_np1_fr_goo_0.avi",
    "Sheldon_&_Penny_[part;1]_clap_u_cm_np2_fr_med_3.avi",
    "Whos_That!_(It's)_clap_f_nm_np1_ba_bad_1.avi",
    "prelinger,_1950_clap_u_nm_np1_le_goo_2.avi",
  ]

  test.each(["clap/", ""])("odd names are found and read back from the table, in folder '%s'", async (folder) => {
    const codes = [1, 2, 0, 1]
    const list = odd.map((name, i) => `${name} ${codes[i]} \n`).join("")
    const { read } = tree({
      "splits/clap_test_split1.txt": list,
      "splits/clap_test_split2.txt": list.replaceAll(" 1 ", " 2 "),
      ...Object.fromEntries(odd.map((name) => [folder + name, VIDEO] as const)),
    })
    const { source, report } = await read("hmdb51")
    expect(report.missing).toEqual([])
    const parts = new Map(
      source.clips.map(({ path, split, columns }) => [path.split("/").at(-1), [split, columns.split2]]),
    )
    expect(odd.map((name) => parts.get(name))).toEqual([
      ["train", "test"],
      ["test", "test"],
      [null, ""],
      ["train", "test"],
    ])
    expect(report.parts.get("")).toMatchObject({ found: 1 })
  })

  test("a code that is none is named", async () => {
    await expect(tree({ "clap_test_split1.txt": "a.avi 7\n" }).read("hmdb51")).rejects.toThrow(
      /clap_test_split1\.txt:1: not a row/,
    )
  })
})

describe("UT-Interaction", () => {
  test("names are annotations, and other files are told", async () => {
    const { read } = tree({
      "ut-interaction_segmented_set1/segmented_set1/17_3_0.avi": VIDEO,
      "ut-interaction_segmented_set2/segmented_set2/58_20_5.avi": VIDEO,
      "ut-interaction_segmented_set1/segmented_set1/3_2_6.avi": VIDEO,
    })
    const { source, report } = await read("ut-interaction")
    expect(
      source.clips.map(({ labels, group, columns: c }) => [
        ...labels,
        group,
        c.set,
        c.fold10,
        c.fold_set1,
        c.fold_set2,
      ]),
    ).toEqual([
      ["hand_shake", "seq03", "set1", "3", "3", ""],
      ["push", "seq20", "set2", "10", "", "10"],
    ])
    expect(report.notes.join()).toMatch(/1 video files are called otherwise, such as .*3_2_6\.avi/)
    await expect(tree({ "a.avi": VIDEO }).read("ut-interaction")).rejects.toThrow(/no clips of UT-Interaction/)
  })

  const real = hasShared("UT-Interaction's table", "data", "ut_interaction")
  test.skipIf(!real)("the real clips have the labels, groups and folds that a person wrote down", async () => {
    const root = shared("data", "ut_interaction")
    const { source } = await tree({ "x.txt": "" }).read("ut-interaction", { root })
    const path = `${root}/split.tsv`
    const expected = new Map(
      parseTable(path, readFileSync(path, "utf8")).rows.map(({ values }) => [values.path, values]),
    )
    expect(source.clips).toHaveLength(expected.size)
    for (const { path: file, labels, columns } of source.clips) {
      const row = expected.get(file.slice(root.length + 1))
      const { group, set, fold10, split_seq, split_cross_scene } = columns
      expect({ label: labels[0], group, set, fold10, split_seq, split_cross_scene }).toMatchObject({
        label: row?.label,
        group: row?.group,
        set: row?.set,
        fold10: row?.fold10,
        split_seq: row?.split_seq,
        split_cross_scene: row?.split_cross_scene,
      })
    }
  })
})
