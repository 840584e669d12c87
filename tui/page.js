"use strict";
(function () {
  var data = JSON.parse(document.getElementById("data").textContent);
  var prompt = data.prompt.tokens.length, outputs = data.target.tokens.length, chosen = -1;
  var spans = document.querySelectorAll("[data-unit]"), buttons = document.querySelectorAll("button[data-token]");

  function value(unit) { /* nats, for the chosen token or all of them together */
    var row = data.relevance[unit];
    return chosen < 0 ? row.reduce(function (sum, x) { return sum + x; }, 0) : row[chosen];
  }
  function nats(x) {
    if (x === 0) return "0";
    var size = Math.abs(x), text = size < 5e-4 ? size.toExponential(1) : size.toFixed(size < 9.995 ? 3 : 1);
    return (x < 0 ? "\u2212" : "+") + text;
  }
  function about(unit) { return data.estimated && data.estimated[unit] ? "~" : ""; }
  function times(x) {
    var factor = Math.exp(Math.abs(x));
    if (factor < 1.005) return "no more or less likely";
    var text = factor < 1.095 ? factor.toFixed(2) : factor < 9.95 ? factor.toFixed(1) : factor < 1e6 ? factor.toFixed(0) : "over a million";
    return text + " times " + (x < 0 ? "more" : "less") + " likely";
  }
  function noise(x) { return data.noise_floor !== null && Math.abs(x) <= data.noise_floor; }
  function colour(element, x, limit) {
    var share = limit > 0 && !noise(x) ? Math.max(-1, Math.min(1, x / limit)) : 0;
    element.style.backgroundColor = share === 0 ? "" : "rgba(var(--" + (share > 0 ? "support" : "contradict") + ")," + (0.9 * Math.abs(share)).toFixed(3) + ")";
    element.classList.toggle("against", share < 0);
  }
  function counts(u) { return u.kind !== "special" && (u.tokens[0] > 0 || (u.kind !== "token" && u.kind !== "word")); } /* as in units.h */
  function off(u, x, limit) { return u.kind === "special" ? " (special: off the scale)" : !counts(u) ? " (first position: not ranked)" : Math.abs(x) > limit ? " (first position: off the scale)" : ""; }
  function percent(logprob) { var p = 100 * Math.exp(logprob); return (p >= 9.95 ? p.toFixed(0) : p >= 0.095 ? p.toFixed(1) : p >= 0.00095 ? p.toPrecision(1) : "<0.001") + " %"; }
  function cell(row, text, name) { var td = document.createElement("td"); td.textContent = text; td.className = name || ""; row.appendChild(td); return td; }
  function set(id, text) { document.getElementById(id).textContent = text; }

  function ranking(limit) {
    var body = document.getElementById("ranking");
    body.textContent = "";
    data.units.filter(function (u) { return u.kind !== "special" && value(u.index) !== 0; })
      .sort(function (a, b) { return counts(b) - counts(a) || Math.abs(value(b.index)) - Math.abs(value(a.index)) || a.index - b.index; })
      .slice(0, 20).forEach(function (u) {
        var x = value(u.index), row = document.createElement("tr"), mark = document.createElement("span");
        cell(row, about(u.index) + nats(x), "nats");
        cell(row, (noise(x) ? "within the noise" : times(x)) + off(u, x, limit));
        var word = cell(row, "", "word");
        mark.textContent = u.text.trim() || JSON.stringify(u.text);
        mark.className = "unit";
        colour(mark, x, limit);
        word.appendChild(mark);
        row.addEventListener("mouseenter", function () { point(u.index, true); });
        row.addEventListener("mouseleave", function () { point(u.index, false); });
        body.appendChild(row);
      });
  }
  function point(unit, on) {
    spans.forEach(function (s) { if (Number(s.dataset.unit) === unit) s.classList.toggle("marked", on); });
  }
  function said() { /* in words: what is explained, and what else the model might have said */
    if (chosen < 0) return "the whole answer: the sum over its " + outputs + " tokens";
    var token = data.target.tokens[chosen], text = JSON.stringify(token.text) + " " + percent(token.logprob);
    var foil = data.foil && data.foil.token === chosen ? data.foil : null;
    if (foil) text += ", rather than " + JSON.stringify(foil.text) + " " + percent(foil.logprob);
    var others = token.candidates.filter(function (c) { return c.id !== token.id; }).slice(0, 4);
    return text + (others.length ? "; else " : "") + others.map(function (c) { return JSON.stringify(c.text) + " " + percent(c.logprob); }).join(", ");
  }
  function show() {
    function greatest(from) { /* the first position draws attention that has nowhere to go: it does not set the scale */
      return data.units.reduce(function (most, u) { return u.kind === "special" || u.tokens[0] < from ? most : Math.max(most, Math.abs(value(u.index))); }, 0);
    }
    var limit = greatest(1) || greatest(0);
    spans.forEach(function (s) {
      var u = data.units[Number(s.dataset.unit)], x = value(u.index), later = chosen >= 0 && u.tokens[0] >= prompt + chosen;
      if (u.kind !== "special") colour(s, x, limit);
      s.title = later ? "" : about(u.index) + nats(x) + " nats: without it the answer is " + times(x) + off(u, x, limit);
    });
    buttons.forEach(function (b) { b.setAttribute("aria-pressed", String(Number(b.dataset.token) === chosen)); });
    set("said", said());
    set("low", nats(-limit));
    set("high", nats(limit));
    set("meaning", nats(limit) + " nats: without such a unit the answer is " + times(limit) + (data.foil && data.foil.token === chosen ? " against the foil" : ""));
    ranking(limit);
  }
  buttons.forEach(function (b) {
    b.addEventListener("click", function () { chosen = Number(b.dataset.token); show(); });
  });
  chosen = outputs === 1 ? 0 : data.foil ? data.foil.token : -1;
  show();
})();
