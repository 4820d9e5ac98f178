import { defineConfig } from "vite";

// `npm run dev` shows a coordinator that runs on this machine
const coordinator = "http://127.0.0.1:7771";

export default defineConfig({
  build: {
    outDir: "dist",
    target: "es2022",
    // one script and one style sheet, with names that stay: the coordinator embeds them by name
    modulePreload: false,
    cssCodeSplit: false,
    // everything is in a file of its own: the policy allows no `data:`
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        codeSplitting: false,
        entryFileNames: "app.js",
        assetFileNames: "app[extname]",
      },
    },
  },
  server: { proxy: { "/v1": coordinator, "/health": coordinator } },
});
