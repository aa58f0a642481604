/** `fourtier describe` on real clips, against the example server. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, describe as suite, vi } from "vitest"
import { hasShared, shared } from "../../../../tests/shared.ts"
import { describeCommand } from "../../src/cli/describe.ts"
import { makeClip } from "../video/fixtures.ts"
import { scratch } from "./fixtures.ts"

const folder = scratch()
const source = shared("data", "ut_interaction")
const clips = ["hug/set1_10_2_1.avi", "kick/set1_13_3_2.avi", "hug/set1_14_3_1.avi"]
const ready =
  hasShared("describing real clips", "data", "ut_interaction") && spawnSync("python3", ["--version"]).status === 0
const data = join(folder, "clips")
const cache = join(folder, "descriptions.jsonl")
const kept = ["--cache", cache, "--manifest", join(folder, "manifest.jsonl")]
let child: ChildProcess | undefined
let url = ""
let out = ""
let errors = ""

beforeAll(async () => {
  if (!ready) return
  for (const clip of clips) {
    mkdirSync(dirname(join(data, clip)), { recursive: true })
    copyFileSync(join(source, clip), join(data, clip))
  }
  const rows = clips.map((clip, i) => `${clip},${dirname(clip)},${i === 1 ? "test" : "train"}\n`)
  writeFileSync(join(data, "clips.csv"), `path,label,split\n${rows.join("")}`)
  const server = spawn("python3", [join(import.meta.dirname, "../../../../examples/vlm-server/server.py"), "0"])
  child = server
  url = await new Promise<string>((resolve) =>
    server.stdout.once("data", (chunk) => resolve(String(chunk).match(/http:\S+/)?.[0] ?? "")),
  )
})

afterAll(() => {
  child?.kill()
})

beforeEach(() => {
  out = ""
  errors = ""
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text)
    return true
  })
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    errors += String(text)
    return true
  })
})

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

async function fourtier(...words: string[]): Promise<string> {
  out = ""
  errors = ""
  await describeCommand()
    .exitOverride()
    .parseAsync(["node", "describe", ...words])
  return out
}

suite.skipIf(!ready)("fourtier describe", () => {
  const server = () => ["--provider", "http", "--url", url, "--model", "echo", "--height", "64"]

  it("describes all clips but the test clips, with strips beside the answers, and then has nothing to do", async () => {
    await fourtier(data, ...server(), ...kept)
    expect(errors).toMatch(/1 clip is not described: held out for/)
    expect(errors).toMatch(
      /sending key frames of 2 clips to http:\/\/127\.0\.0\.1:\d+\/describe \(this machine\), model echo/,
    )
    expect(errors).toMatch(/8 of 8 answers, 0 from the cache, 8 requests/)
    expect(readdirSync(join(folder, "strips/hug"))).toHaveLength(2)
    await fourtier("run", data, ...server(), ...kept)
    expect(errors).toMatch(/8 of 8 answers, 8 from the cache, 0 requests/)
    expect(errors).not.toMatch(/sending/)
  })

  it("describes a test clip only when it is asked for by name", async () => {
    await fourtier(data, ...server(), ...kept, "--splits", "train", "--estimate")
    expect(out).toMatch(/missing answers\s+0\n/)
    await fourtier(data, ...server(), ...kept, "--clips", "kick/set1_13_3_2", "--estimate")
    expect(out).toMatch(
      /missing answers\s+4\n[\s\S]*strip\s+\d+ × 64 pixels, .*\n\s*upload\s.*each strip 4 times, once with --ask together\n[\s\S]*cost\s+nothing/,
    )
    expect(out).toMatch(/of them test clips\s+1, now or before/)
    const own = ["--cache", join(folder, "tested.jsonl"), "--manifest", join(folder, "manifest.jsonl")]
    await fourtier(data, ...server(), ...own, "--splits", "test")
    expect(errors).toMatch(
      /1 of these clips is or was a test clip, such as kick\/set1_13_3_2\.avi: nothing that learns/,
    )
    await expect(fourtier(data, ...server(), ...kept, "--clips", "kick/set1_13_3")).rejects.toThrow(
      /did you mean "kick\/set1_13_3_2"/,
    )
    await expect(fourtier(data, ...server(), ...kept, "--splits", "tset")).rejects.toThrow(/expected: test, train/)
  })

  it("describes no clip that a run would draw for its test, nor one of a further test part", async () => {
    const plain = join(folder, "plain")
    for (const [l, label] of ["a", "b"].entries()) {
      mkdirSync(join(plain, label), { recursive: true })
      for (let i = 0; i < 5; i++) makeClip(join(plain, label, `${i}.mp4`), { frames: 6 + i + 5 * l })
    }
    const own = ["--cache", join(folder, "plain.jsonl"), "--manifest", join(folder, "plain-manifest.jsonl")]
    await fourtier(plain, ...server(), ...own, "--estimate")
    expect(out).toMatch(/missing answers\s+32\n/)
    await fourtier(plain, ...server(), ...own, "--set", "split.test=0", "--estimate")
    expect(out).toMatch(/missing answers\s+40\n/)
    const rows = ["a", "b"].flatMap((label) =>
      ["train", "train", "val", "test", "test-shift"].map((side, i) => `${label}/${i}.mp4,${label},${side}`),
    )
    writeFileSync(join(plain, "clips.csv"), ["path,label,split", ...rows].join("\n"))
    await fourtier(plain, ...server(), ...own, "--estimate")
    expect(out).toMatch(/missing answers\s+16\n/)
    await fourtier(plain, ...server(), ...own, "--splits", "train,test-shift", "--estimate")
    expect(out).toMatch(/missing answers\s+24\n/)
  })

  it("shows, edits and counts answers", async () => {
    expect(await fourtier("edit", data, "hug/set1_10_2_1.avi", "A", "two men hug", ...kept)).toMatch(/was: A strip of/)
    const shown = await fourtier("show", data, "hug/set1_10_2_1", ...kept)
    expect(shown).toMatch(/strip: .*set1_10_2_1\.\w{8}-k5-h64\.jpg/)
    expect(shown).toMatch(/What is the action category\?[\s\S]*two men hug[\s\S]*before \(http, .*: A strip of/)
    await expect(fourtier("show", data, "hug/set1_10_2_9", ...kept)).rejects.toThrow(/did you mean/)
    const stats = await fourtier("stats", data, ...kept)
    expect(stats).toMatch(/echo\s+│\s+2 │\s+0 │/)
    expect(stats).toMatch(/names the class: hug 50 %/)
    await fourtier(data, ...server(), ...kept)
    expect(errors).toMatch(/0 requests/)
  })

  it("exports answers that replay, as CSV and JSONL", async () => {
    for (const name of ["answers.csv", "answers.jsonl"]) {
      const file = join(folder, name)
      await fourtier("export", data, "--out", file, ...kept)
      const other = ["--cache", join(folder, `again-${name}`), "--manifest", join(folder, "manifest.jsonl")]
      await fourtier(data, "--answers", file, ...other)
      expect(errors).toMatch(/8 of 8 answers, 0 from the cache, 8 recorded \(echo\)/)
      expect(await fourtier("show", data, "hug/set1_10_2_1", ...other)).toMatch(/two men hug/)
    }
  })

  it("makes an annotation task without labels, and takes it back filled in", async () => {
    const task = join(folder, "task")
    await fourtier("export", data, "--task", task, ...kept, "--prompts", "[A, B]")
    expect(readdirSync(task).sort()).toEqual([
      "0001.jpg",
      "0002.jpg",
      "README.md",
      "clips.csv",
      "tasks.csv",
      "tasks.jsonl",
    ])
    const table = join(task, "tasks.csv")
    expect(readFileSync(table, "utf8")).toBe("strip,A,B\n0001.jpg,,\n0002.jpg,,\n")
    expect(readFileSync(join(task, "tasks.jsonl"), "utf8")).not.toMatch(/hug/)
    writeFileSync(table, 'strip,A,B\n0001.jpg,"hug, warm",arms close\n0002.jpg,embrace,\n')
    const own = ["--cache", join(folder, "human.jsonl"), "--manifest", join(folder, "manifest.jsonl")]
    await fourtier("import", data, table, ...own, ...server(), "--prompts", "[A, B]")
    expect(errors).toMatch(/3 answers imported as if given by echo/)
    await fourtier(data, ...server(), ...own, "--prompts", "[A, B]")
    expect(errors).toMatch(/4 of 4 answers, 3 from the cache, 1 request to/)
    const [name] = readFileSync(join(task, "clips.csv"), "utf8").split("\n")[1].split(",").slice(1)
    expect(await fourtier("show", data, name, ...own)).toMatch(/hug, warm/)
  })

  it("imports what people filled in without naming a model; what they left empty is left out", async () => {
    const task = join(folder, "people")
    await fourtier("export", data, "--task", task, ...kept)
    const table = join(task, "tasks.csv")
    writeFileSync(table, "strip,A,B,C,D\n0001.jpg,hug,arms close,,in a car park\n0002.jpg,,walking,,\n")
    await fourtier("import", data, table, ...kept)
    expect(errors).toMatch(/4 answers imported into .*clips\/descriptions\.jsonl/)
    await fourtier("import", data, table, ...kept)
    expect(readFileSync(join(data, "descriptions.jsonl"), "utf8").trim().split("\n")).toHaveLength(4)
    const own = ["--cache", join(folder, "people.jsonl"), "--manifest", join(folder, "manifest.jsonl")]
    await fourtier(data, ...own)
    expect(errors).toMatch(/4 of 8 answers/)
    process.exitCode = undefined
    const [, , first] = readFileSync(join(task, "clips.csv"), "utf8").split(/[\n,]/).slice(1)
    expect(await fourtier("show", data, first, ...own)).toMatch(/hug[\s\S]*arms close[\s\S]*in a car park/)
    // a fresh cache knows them from the file, as soon as they are there
    const none = ["--cache", join(folder, "none.jsonl"), "--manifest", join(folder, "manifest.jsonl")]
    expect(await fourtier("stats", data, ...none)).toMatch(/A +│ descriptions\.jsonl │ +1 │ +0 │/)
    // a further sheet has what is missing, with what is there; a sheet that was filled in is not written over
    await expect(fourtier("export", data, "--task", task, ...none)).rejects.toThrow(/filled in[\s\S]*another folder/)
    await fourtier("edit", data, first, "A", "hugging", ...none)
    writeFileSync(table, "strip,C\n0001.jpg,they part\n0001.jpg,they hug\n")
    await fourtier("import", data, table, ...none)
    expect(errors).toMatch(/1 question is answered twice: .* C "they part", then "they hug"/)
    expect(await fourtier("show", data, first, ...none)).toMatch(/\n {2}hugging\n[\s\S]*they hug/)
    const further = join(folder, "further")
    await fourtier("export", data, "--task", further, ...none)
    expect(readFileSync(join(further, "tasks.csv"), "utf8")).toBe("strip,A,B,C,D\n0001.jpg,,walking,,\n")
    expect(errors).toMatch(/1 clip is left out: its answers are in .*descriptions\.jsonl/)
    // an answer that was read again from the changed file counts once
    expect(await fourtier("stats", data, ...none)).toMatch(/A +│ descriptions\.jsonl │ +1 │ +0 │/)
    rmSync(join(data, "descriptions.jsonl"))
  })

  it("asks flagged answers again with retry --flagged", async () => {
    const line = JSON.parse(
      readFileSync(cache, "utf8")
        .split("\n")
        .findLast((text) => text.includes('"prompt":"D"')) ?? "",
    )
    appendFileSync(cache, `${JSON.stringify({ ...line, ok: 0, flags: ["refusal"], answer: "I'm sorry" })}\n`)
    await fourtier(data, ...server(), ...kept)
    expect(errors).toMatch(/7 of 8 answers[\s\S]*1 answer is flagged and will not be used[\s\S]*D: refusal/)
    await fourtier("retry", data, "--flagged", ...server(), ...kept)
    expect(errors).toMatch(/8 of 8 answers, 7 from the cache, 1 request to/)
  })

  it("says what to do when nothing is said, or said wrongly", async () => {
    await expect(fourtier(data, ...kept)).rejects.toThrow(/no model is named/)
    await expect(fourtier(data, ...kept, "--provider", "{kind: openai, model: x, apiKey: sk-1}")).rejects.toThrow(
      /keyEnv/,
    )
    await expect(fourtier(data, ...kept, "--provider", "gpt")).rejects.toThrow(/openai-batch/)
    expect(await fourtier("prices")).toMatch(/"gpt-4o"/)
  })
})
