"use strict";
// Shows the fields of the chosen action or condition, and hides those of the others. Hidden fields are sent all
// the same; the server reads only the chosen one's.
(function () {
  function show(select) {
    const step = select.closest(".inline-related");
    if (!step) {
      return;
    }
    for (const params of step.querySelectorAll(".hub-params")) {
      params.hidden = params.dataset.plugin !== select.value;
    }
  }
  function isChoice(element) {
    return element.matches(".hub-steps select[name$='-action'], .hub-steps select[name$='-condition']");
  }
  function showAll(root) {
    for (const select of root.querySelectorAll("select")) {
      if (isChoice(select)) {
        show(select);
      }
    }
  }
  document.addEventListener("change", function (event) {
    if (event.target instanceof Element && isChoice(event.target)) {
      show(event.target);
    }
  });
  document.addEventListener("formset:added", function (event) {
    showAll(event.target);
  });
  document.addEventListener("DOMContentLoaded", function () {
    showAll(document);
  });
})();
