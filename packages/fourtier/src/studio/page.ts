/** The studio's page: its built files, and the token in it. */

import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { readText } from "@fourtier/tensor/node"
import { serveStatic } from "@hono/node-server/serve-static"
import type { Context, MiddlewareHandler } from "hono"
import { scriptJson } from "../report/html.ts"
import { packageFile } from "../util/optional.ts"
import { ownHeaders } from "../util/serving.ts"
import { version } from "../util/version.ts"
import type { Bootstrap } from "./api.ts"
import { Refusal } from "./refusal.ts"

/**
 * Folder of the built page, which is a package of its own.
 * @throws FourtierError where it is not installed
 */
export function builtPage(): string {
  return join(dirname(packageFile({ name: "@fourtier/studio", version }, "package.json", "fourtier studio")), "dist")
}

export interface StudioPage {
  answer(context: Context): Promise<Response>
}

/** What a browser may do with the page: its own scripts, engine and workers, and nobody else's. */
export function pageHeaders(): MiddlewareHandler {
  return ownHeaders({
    crossOriginEmbedderPolicy: "require-corp",
    crossOriginOpenerPolicy: "same-origin",
    crossOriginResourcePolicy: "same-origin",
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'", "'wasm-unsafe-eval'"],
      workerSrc: ["'self'", "blob:"],
      connectSrc: ["'self'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", "data:", "blob:"],
      mediaSrc: ["'self'", "blob:"],
      fontSrc: ["'self'"],
      manifestSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
    permissionsPolicy: { camera: ["self"], microphone: false, geolocation: false, usb: false },
  })
}

/** @param folder of the built page */
export function studioPage(token: string, folder: string): StudioPage {
  const bootstrap: Bootstrap = { kind: "server", token }
  const element = `<script type="application/json" id="home">${scriptJson(bootstrap)}</script>`
  const files = serveStatic({ root: folder, allowPercentInPath: false })
  return {
    async answer(context) {
      const { path } = context.req
      if (path !== "/" && path !== "/index.html") {
        const answer = await files(context, async () => {})
        if (!answer) throw new Refusal(404, { where: "address", what: "there is nothing at this address" })
        // built files have their content in their names
        if (path.startsWith("/assets/")) {
          answer.headers.set("Cache-Control", "private, max-age=31536000, immutable")
        }
        return answer
      }
      const index = join(folder, "index.html")
      if (!existsSync(index)) {
        throw new Refusal(503, {
          where: index,
          what: "the studio's page has not been built",
          fix: "in a clone: `npm run build`; elsewhere install fourtier again",
        })
      }
      const html = await readText(index)
      return context.html(html.replace("</head>", `${element}</head>`))
    },
  }
}
