/**
 * Protects `fourtier studio`: from recorded clips to a bundle that recognises, over its requests alone; that it says what it opens; and
 * that a kill in the middle of an upload and a training loses neither.
 */

import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Recognizer } from "fourtier/deploy"
import { scanSource } from "fourtier/video"
import { afterAll, describe, expect, it } from "vitest"
import { z } from "zod"
import { asker, until } from "../../packages/fourtier/tests/studio/client.ts"
import { CLASSES, SETTINGS, writeClips } from "../e2e/fixtures.ts"
import { built, LAUNCHER } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-studio-"))
const children = new Set<ChildProcess>()
afterAll(() => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

const data = join(folder, "clips")
const made = join(folder, "made")
const settings = join(folder, "settings.json")

/** Starts the studio. @returns its process, and requests to it */
async function start(...args: string[]) {
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, NODE_OPTIONS: undefined }
  const line = [LAUNCHER, "studio", "clips", "-c", settings, "-o", "run", ...args]
  const child = spawn(process.execPath, line, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] })
  children.add(child)
  let [out, err] = ["", ""]
  child.stderr.on("data", (part) => {
    err += String(part)
  })
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (part) => {
      out += String(part)
      if (out.includes("\n")) resolve()
    })
    child.once("exit", () => reject(new Error(err)))
  })
  const opens = new URL(out.split("\n")[0])
  const server = { address: opens.origin, token: opens.searchParams.get("token") ?? "" }
  return {
    child,
    ...server,
    page: asker(server),
    output: () => out,
    errors: () => err,
    async kill(signal: NodeJS.Signals) {
      const gone = once(child, "exit")
      child.kill(signal)
      await gone
      children.delete(child)
    },
  }
}

type Started = Awaited<ReturnType<typeof start>>

const stateSchema = z.looseObject({
  training: z.looseObject({
    status: z.string(),
    error: z.string().nullable(),
    curves: z.array(z.looseObject({ method: z.string(), loss: z.number(), step: z.number() })),
  }),
  classes: z.array(z.string()),
  bundle: z.boolean(),
})
const reportSchema = z.looseObject({ page: z.string(), methods: z.array(z.looseObject({ method: z.string() })) })

const stateOf = async ({ page }: Started) => stateSchema.parse((await page.get("/api/state")).value)

describe.skipIf(!built)("fourtier studio", () => {
  it("from recorded clips to a bundle that recognises; a kill in the middle loses nothing that was answered", async () => {
    writeClips(made, 5)
    writeFileSync(settings, JSON.stringify({ ...SETTINGS, cache: join(folder, "cache") }))
    const first = await start()
    expect(first.output()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}\nstop with Ctrl\+C\n$/)
    const shown = await fetch(first.address, { headers: first.page.own })
    expect(await shown.text()).toContain(
      `<script type="application/json" id="home">{"kind":"server","token":"${first.token}"}`,
    )
    for (const label of CLASSES) {
      for (const file of readdirSync(join(made, label))) {
        const { status } = await first.page.upload(file, label, readFileSync(join(made, label, file)))
        expect(status).toBe(201)
      }
    }
    expect((await stateOf(first)).classes).toEqual(CLASSES)

    // killed while a file comes in and a network trains
    const socket = connect(Number(new URL(first.address).port), "127.0.0.1")
    socket.on("error", () => undefined)
    socket.write(
      `POST /api/clips?name=half.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${first.token}\r\n` +
        `Content-Length: 100000\r\n\r\n${"x".repeat(5000)}`,
    )
    expect((await first.page.send("/api/train", "POST", { epochs: 400, resume: false })).status).toBe(200)
    expect((await first.page.send("/api/train", "POST", { epochs: 400, resume: false })).value).toMatchObject({
      what: "a training is under way",
    })
    await until(async () => (await stateOf(first)).training.curves.length > 0)
    await first.kill("SIGKILL")
    socket.destroy()

    const second = await start()
    expect(existsSync(join(data, ".fourtier-studio/uploads"))).toBe(false)
    const clips = z.array(z.looseObject({ label: z.string() })).parse((await second.page.get("/api/clips")).value)
    expect(clips).toHaveLength(15)
    const { training } = await stateOf(second)
    expect(training.status).toBe("interrupted")
    expect(training.curves.length).toBeGreaterThan(0)

    // stopped by its button, and gone on with
    await second.page.send("/api/train", "POST", { epochs: null, resume: true })
    await until(async () => (await stateOf(second)).training.status !== "running")
    const done = await stateOf(second)
    expect([done.training.status, done.training.error, done.bundle]).toEqual(["done", null, true])
    const report = reportSchema.parse((await second.page.get("/api/report")).value)
    expect(report).toMatchObject({ classes: CLASSES, heldOut: 3, methods: [{ method: "baseline" }, {}] })
    const whole = await fetch(new URL(report.page, second.address), { headers: second.page.own })
    expect(await whole.text()).toMatch(/<script type="application\/json" id="data">/)

    const { value: names } = await second.page.get("/api/bundle")
    expect(names).toContain("bundle.json")
    const bundle = join(folder, "downloaded")
    mkdirSync(bundle)
    for (const name of z.array(z.string()).parse(names)) {
      const file = await fetch(new URL(`/api/bundle/${name}`, second.address), { headers: second.page.own })
      writeFileSync(join(bundle, name), Buffer.from(await file.arrayBuffer()))
    }
    const recognizer = await Recognizer.load(bundle)
    const { top } = await recognizer.predict(join(made, "left/square 0.mp4"))
    await recognizer.release()
    expect(top).toHaveLength(3)

    // the folder is as any other: nothing of the studio is needed to read it
    const { clips: read } = await scanSource(data)
    expect(read.map(({ labels }) => labels[0])).toEqual(CLASSES.flatMap((label) => Array(5).fill(label)))
    await second.kill("SIGINT")
    expect(second.errors()).toMatch(/stopping as soon as it is safe/)
  })

  it("--host says what it opens", async () => {
    const opened = await start("--host", "0.0.0.0")
    await until(() => opened.errors().includes("ssh -L"))
    expect(opened.errors()).toMatch(/--host 0\.0\.0\.0: every machine that reaches this address can ask/)
    await opened.kill("SIGKILL")
  })
})
