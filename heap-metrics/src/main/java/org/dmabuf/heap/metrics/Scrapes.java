// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Handler of the requests of a scraper. */
final class Scrapes implements HttpHandler {
    private static final Logger LOG = LoggerFactory.getLogger(Scrapes.class);
    private static final String PLAIN = "text/plain; charset=utf-8";

    private final Figures figures;

    Scrapes(Figures figures) {
        this.figures = figures;
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            String method = exchange.getRequestMethod();
            if (!exchange.getRequestURI().getPath().equals(Endpoint.PATH)) {
                answer(exchange, 404, PLAIN, "unknown path: expected " + Endpoint.PATH + "\n");
            } else if (!method.equals("GET") && !method.equals("HEAD")) {
                exchange.getResponseHeaders().set("Allow", "GET, HEAD");
                answer(exchange, 405, PLAIN, "unknown method: expected GET or HEAD\n");
            } else {
                scrape(exchange);
            }
        }
    }

    private void scrape(HttpExchange exchange) throws IOException {
        Format format = Format.accepted(exchange.getRequestHeaders().getOrDefault("Accept", List.of()));
        String text;
        try {
            text = figures.text(format);
        } catch (RuntimeException e) { // for example no descriptor is left
            LOG.warn("reading the figures failed; the scrape gets status 500", e);
            answer(exchange, 500, PLAIN, "reading the figures failed; see the gateway's log\n");
            return;
        }
        answer(exchange, 200, format.contentType(), text);
    }

    private static void answer(HttpExchange exchange, int status, String type, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type);
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.sendResponseHeaders(status, -1);
        } else {
            exchange.sendResponseHeaders(status, bytes.length);
            exchange.getResponseBody().write(bytes);
        }
    }
}
