// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.Optional;
import org.apache.felix.service.command.CommandProcessor;
import org.dmabuf.heap.gateway.control.wire.Request;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;

/** Factory of Gogo interpreters. Without Gogo's packages this class cannot be linked. */
final class GogoInterpreters implements Interpreter.Factory {
    private final BundleContext context;
    private final SessionSettings settings;

    GogoInterpreters(BundleContext context, SessionSettings settings) {
        this.context = context;
        this.settings = settings;
    }

    @Override
    public Interpreter create(Request request, Inbox in, Outbox outbox) throws Interpreter.AbsentException {
        CommandProcessor processor = processor()
                .orElseThrow(() -> new Interpreter.AbsentException(
                        "this gateway has no shell: org.apache.felix.gogo.runtime is not active"));
        return request.verb() == Request.Verb.SHELL
                ? new GogoShell(context, processor, settings, request, in, outbox)
                : new GogoCommand(processor, settings, request, in, outbox);
    }

    private Optional<CommandProcessor> processor() {
        ServiceReference<CommandProcessor> reference = context.getServiceReference(CommandProcessor.class);
        return Optional.ofNullable(reference).map(context::getService);
    }
}
