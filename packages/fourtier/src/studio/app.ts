/** The addresses of the studio's server: see `api.ts`. Everything else is refused. */

import { realpath, rm } from "node:fs/promises"
import { basename, join } from "node:path"
import type { HttpBindings } from "@hono/node-server"
import { serveStatic } from "@hono/node-server/serve-static"
import { type Context, Hono } from "hono"
import { bodyLimit } from "hono/body-limit"
import { z } from "zod"
import { pageData, pageOf } from "../report/page.ts"
import { isInside } from "./collection.ts"
import { streamEvents } from "./events.ts"
import { guardName, guardToken, takeToken } from "./guard.ts"
import { bundleFiles, outcomeOf, suggestionsOf } from "./outcome.ts"
import { pageHeaders, type StudioPage } from "./page.ts"
import { bodyOf, failureOf, Refusal } from "./refusal.ts"
import { checkChange, type Studio } from "./studio.ts"
import { checkLength, moveInto, receive, safeFileName } from "./upload.ts"

export interface AppOptions {
  studio: Studio
  token: string
  /** Names under which the server is asked for. */
  names: ReadonlySet<string>
  page: StudioPage
  /** Bytes of one file, at most. */
  longest: number
}

type Env = { Bindings: HttpBindings }

/** Bytes of a JSON body. */
const LONGEST_BODY = 4 * 2 ** 20

/** A report is one file with its script and style in it. */
const REPORT_POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"

const idsSchema = z.array(z.string().max(100)).max(100_000)
const changeSchema = z.strictObject({
  ids: idsSchema,
  label: z.string().max(1000).nullable().optional(),
  removed: z.boolean().optional(),
})
const cutsSchema = z
  .array(z.strictObject({ start: z.number(), end: z.number(), label: z.string().max(1000).nullable() }))
  .min(1)
  .max(1000)
const trainSchema = z.strictObject({ epochs: z.int().min(1).max(10_000).nullable(), resume: z.boolean() })
const answersSchema = z.array(z.object({ prompt: z.string().max(100), text: z.string().max(100_000) })).max(100)
const describeSchema = z.strictObject({
  ids: idsSchema.optional(),
  estimateOnly: z.boolean().optional(),
  again: z.boolean().optional(),
})

export function studioApp({ studio, token, names, page, longest }: AppOptions): Hono<Env> {
  const app = new Hono<Env>()
  app.onError(failureOf)
  app.notFound((context) => {
    return failureOf(new Refusal(404, { where: "address", what: "there is nothing at this address" }), context)
  })
  app.use(pageHeaders())
  app.use(guardName(names), takeToken(token), guardToken(token))
  app.use("/api/*", (context, next) => {
    // the file that is uploaded is counted as it comes
    if (context.req.method === "POST" && context.req.path === "/api/clips") return next()
    return limitBody(context, next)
  })

  app.get("/api/state", async (context) => context.json(await studio.state()))
  app.get("/api/clips", async (context) => {
    if (context.req.query("look") !== undefined) await studio.refresh()
    return context.json(studio.clips())
  })
  app.post("/api/clips", async (context) => {
    const { incoming } = context.env
    checkLength(context.req.header("content-length"), longest)
    const name = safeFileName(context.req.query("name") ?? "")
    const label = context.req.query("label") || null
    const path = await receive(incoming, studio.uploads, longest)
    try {
      return context.json(await studio.add(name, label, (place) => moveInto(path, place)), 201)
    } finally {
      await rm(path, { force: true })
    }
  })
  app.post("/api/recordings", async (context) => {
    const name = safeFileName(context.req.query("name") ?? "")
    return context.json({ id: await studio.recordings.begin(name, context.req.query("label") || null) }, 201)
  })
  app.post("/api/recordings/:id", async (context) => {
    const piece = new Uint8Array(await context.req.arrayBuffer())
    const at = Number(context.req.query("at") || "-1")
    return context.json({ bytes: await studio.recordings.append(context.req.param("id"), at, piece) })
  })
  app.post("/api/recordings/:id/end", async (context) => {
    return context.json(await studio.recordings.finish(context.req.param("id")), 201)
  })
  app.delete("/api/recordings/:id", async (context) => {
    await studio.recordings.abort(context.req.param("id"))
    return context.json({})
  })
  app.patch("/api/clips", async (context) => {
    const change = await bodyOf(context, changeSchema)
    checkChange(change)
    return context.json(await studio.change(change))
  })
  app.post("/api/clips/:id/cut", async (context) => {
    return context.json(await studio.cut(context.req.param("id"), await bodyOf(context, cutsSchema)), 201)
  })
  app.put("/api/classes", async (context) => {
    return context.json(await studio.setClasses(await bodyOf(context, z.array(z.string().max(1000)).max(1000))))
  })

  app.get("/api/clips/:id/media", (context) => sendMedia(context, studio))
  app.get("/api/clips/:id/strip", async (context) => {
    return send(context, await studio.strip(context.req.param("id")), "image/jpeg")
  })
  app.get("/api/clips/:id/answers", async (context) => {
    return context.json(await studio.answersAbout(context.req.param("id")))
  })
  app.put("/api/clips/:id/answers", async (context) => {
    return context.json(await studio.writeAnswers(context.req.param("id"), await bodyOf(context, answersSchema)))
  })
  app.post("/api/describe", async (context) => {
    return context.json(await studio.describing.start(await bodyOf(context, describeSchema)))
  })
  app.delete("/api/describe", async (context) => context.json(await studio.describing.stop()))
  app.get("/api/suggest", async (context) => {
    const found = await suggestionsOf(studio.out)
    // those that were labelled since, or removed
    const open = new Set(studio.clips().flatMap(({ id, label, removed }) => (label === null && !removed ? [id] : [])))
    return context.json(found.filter(({ clip }) => open.has(clip)))
  })

  app.post("/api/train", async (context) => {
    return context.json(await studio.training.start(await bodyOf(context, trainSchema)))
  })
  app.delete("/api/train", (context) => context.json(studio.training.stop()))
  app.get("/api/report", async (context) => {
    const report = await outcomeOf(studio.out)
    return context.json(report && { ...report, page: report.page && "/report" })
  })
  app.get("/report", async (context) => {
    context.header("Content-Security-Policy", REPORT_POLICY)
    return context.html(await pageOf(await pageData([studio.out])))
  })
  app.get("/api/bundle", async (context) => context.json(await bundleFiles(studio.out)))
  app.get("/api/bundle/*", async (context) => {
    const asked = context.req.path.slice("/api/bundle/".length)
    const name = (await bundleFiles(studio.out)).find((file) => [file, encodeURIComponent(file)].includes(asked))
    if (name === undefined) {
      throw new Refusal(404, { where: "bundle", what: "there is no such file in it", found: asked })
    }
    context.header("Content-Disposition", `attachment; filename*=UTF-8''${encodeURIComponent(basename(name))}`)
    return send(context, join(studio.out, "bundle", name), "application/octet-stream")
  })

  app.get("/api/events", (context) => streamEvents(context, (listener) => studio.listen(listener)))

  app.get("*", (context) => page.answer(context))
  return app
}

const limitBody = bodyLimit({
  maxSize: LONGEST_BODY,
  onError: () => {
    throw new Refusal(413, {
      where: "body",
      what: "the request is too long",
      expected: `${LONGEST_BODY} bytes at most`,
    })
  },
})

/** Sends the file of a clip, by ranges; nothing outside of the data folder. */
async function sendMedia(context: Context<Env>, studio: Studio): Promise<Response> {
  const { path } = studio.held(context.req.param("id") ?? "")
  const [root, file] = [await realpath(studio.collection.root), await realpath(path).catch(() => null)]
  if (file === null) throw new Refusal(404, { where: "clip", what: "its file is not there", found: path })
  if (!isInside(root, file)) {
    throw new Refusal(403, {
      where: "clip",
      what: "its file lies outside of the data folder, and is not shown",
      found: file,
      fix: "start the studio with the folder that holds the videos",
    })
  }
  return send(context, file, null)
}

/** Types that Hono's table of endings does not name. */
const VIDEO_TYPES: Readonly<Record<string, string>> = {
  mp4: "video/mp4",
  m4v: "video/mp4",
  mov: "video/mp4",
  webm: "video/webm",
  mkv: "video/x-matroska",
  ogv: "video/ogg",
  gif: "image/gif",
}

/** Sends a file, by ranges where it is asked for so. @param type null: a video, by its ending */
async function send(context: Context<Env>, path: string, type: string | null): Promise<Response> {
  const kind = type ?? VIDEO_TYPES[path.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/octet-stream"
  const answer = await serveStatic({ path })(context, async () => {})
  if (!(answer instanceof Response)) throw new Refusal(404, { where: "file", what: "it is not there" })
  answer.headers.set("Content-Type", kind)
  answer.headers.set("Accept-Ranges", "bytes")
  // opened by itself, it is nothing but a file
  answer.headers.set("Content-Security-Policy", "default-src 'none'; media-src 'self'; sandbox")
  return answer
}
