// Shows the schema that the page names. A file of its own, since the page allows no inline script.
SwaggerUIBundle({
  url: document.querySelector('link[rel="service-desc"]').href,
  dom_id: "#swagger-ui",
  layout: "BaseLayout",
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
