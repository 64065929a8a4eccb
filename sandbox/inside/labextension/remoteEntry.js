// A panel of JupyterLab: what was granted, with its columns, the room in the home, and when the sandbox will stop.
//
// JupyterLab loads it as a prebuilt extension. Such a file is a container of webpack's module federation; this one is
// written by hand, since there is nothing to bundle: `init` is given the modules that JupyterLab shares, `get` the plugin.
"use strict";
(() => {
  const EACH = 10000; // milliseconds from one question to the next
  const WORDS = {
    fr: {
      title: "Données accordées", none: "Rien ne vous est accordé pour cette finalité.", rows: "lignes",
      home: "Votre dossier : {used} sur {size}", idle: "S’arrête après {n} min sans usage ; ce qui est enregistré reste.",
      stops: "Ce bac à sable s’arrête à {at} faute d’usage. Exécutez une cellule ou enregistrez pour le garder.",
      away: "Le bac à sable ne répond pas.", full: "Il ne reste presque plus de place dans votre dossier.",
    },
    en: {
      title: "Granted data", none: "Nothing is granted to you for this purpose.", rows: "rows",
      home: "Your home: {used} of {size}", idle: "Stops after {n} min without use; what is saved stays.",
      stops: "This sandbox stops at {at}, for nobody uses it. Run a cell or save a file to keep it.",
      away: "The sandbox does not answer.", full: "There is hardly any room left in your home.",
    },
  };
  const locale = navigator.language || "fr";
  const words = WORDS[locale.startsWith("fr") ? "fr" : "en"];
  const STYLE = `
    #datalab-panel { overflow: auto; padding: 8px 12px; font-size: var(--jp-ui-font-size1); color: var(--jp-ui-font-color1); }
    #datalab-panel h2 { font-size: var(--jp-ui-font-size1); margin: 12px 0 2px; }
    #datalab-panel p { margin: 2px 0 6px; color: var(--jp-ui-font-color2); }
    #datalab-panel code { user-select: all; overflow-wrap: anywhere; }
    #datalab-panel summary { cursor: pointer; padding: 2px 0; }
    #datalab-panel summary:focus-visible { outline: 2px solid var(--jp-brand-color1); }
    #datalab-panel ul { margin: 0 0 6px; padding-left: 18px; }
    #datalab-panel .stops { color: var(--jp-error-color1); }`;

  let shared;
  const load = async (name) => (await Object.values(shared[name])[0].get())();
  const said = (word, values) => words[word].replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // What anybody has written goes in as text alone
  const element = (tag, text, ...children) => {
    const made = document.createElement(tag);
    made.textContent = text;
    made.append(...children);
    return made;
  };

  const size = (bytes) => {
    const scale = Math.min(4, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
    const unit = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"][scale];
    const number = new Intl.NumberFormat(locale, { style: "unit", unit, maximumFractionDigits: scale > 2 ? 1 : 0 });
    return number.format(bytes / 1000 ** scale);
  };

  const table = (one, opened) => {
    const columns = one.columns.map((column) => {
      const line = element("li", "", element("code", column.name), ` ${column.type}`);
      if (column.title) line.title = column.title;
      return line;
    });
    const rows = `${new Intl.NumberFormat(locale).format(one.rows)} ${words.rows}`;
    const summary = element("summary", "", element("code", one.name), ` · ${rows}`);
    const made = element("details", "", summary, element("ul", "", ...columns));
    made.dataset.name = one.name;
    made.open = opened.has(one.name);
    return made;
  };

  const show = (node, told) => {
    const opened = new Set([...node.querySelectorAll("details[open]")].map((one) => one.dataset.name));
    const parts = [];
    if (told.stops) {
      const at = new Date(told.stops).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
      const stops = element("p", said("stops", { at }));
      stops.className = "stops";
      parts.push(stops);
    }
    parts.push(element("p", said("home", { used: size(told.home.used), size: size(told.home.size) })));
    if (told.idle) parts.push(element("p", said("idle", { n: Math.max(1, Math.round(told.idle / 60)) })));
    if (!told.datasets.length) parts.push(element("p", words.none));
    for (const dataset of told.datasets) {
      parts.push(element("h2", dataset.title), element("p", `${dataset.publisher} · ${dataset.licence} · ${dataset.edition}`));
      parts.push(...dataset.tables.map((one) => table(one, opened)));
    }
    const scrolled = node.scrollTop;
    node.replaceChildren(element("style", STYLE), ...parts);
    node.scrollTop = scrolled;
  };

  const activate = async (app) => {
    const [{ Widget }, { Notification }, { ServerConnection }, { URLExt }, { LabIcon }] = await Promise.all(
      ["@lumino/widgets", "@jupyterlab/apputils", "@jupyterlab/services", "@jupyterlab/coreutils",
        "@jupyterlab/ui-components"].map(load));
    const panel = new Widget();
    panel.id = "datalab-panel";
    panel.title.caption = words.title;
    panel.title.icon = new LabIcon({
      name: "datalab:panel",
      svgstr: '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" ' +
        'fill="#616161" d="M4 4h16v4H4zm0 6h7v4H4zm9 0h7v4h-7zm-9 6h7v4H4zm9 0h7v4h-7z"/></svg>',
    });
    app.shell.add(panel, "left", { rank: 150 });

    const settings = ServerConnection.makeSettings();
    const where = URLExt.join(settings.baseUrl, "datalab/told");
    let before = "";
    const warned = { stops: "", full: false };
    const ask = async () => {
      let told;
      try {
        const answer = await ServerConnection.makeRequest(where, {}, settings);
        const text = await answer.text();
        told = JSON.parse(text);
        if (text !== before) show(panel.node, told);
        before = text;
      } catch {
        before = "";
        panel.node.replaceChildren(element("style", STYLE), element("p", words.away));
        return;
      }
      if (told.stops && told.stops !== warned.stops) {
        const at = new Date(told.stops).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
        Notification.warning(said("stops", { at }), { autoClose: false });
      }
      warned.stops = told.stops || "";
      const full = told.home.used > 0.95 * told.home.size;
      if (full && !warned.full) Notification.warning(words.full, { autoClose: false });
      warned.full = full;
    };
    await ask();
    setInterval(ask, EACH);
  };

  const plugin = { id: "datalab-panel:plugin", description: "The DataLab's panel", autoStart: true, activate };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["datalab-panel"] = {
    init: async (scope) => { shared = scope; },
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
