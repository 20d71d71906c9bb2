// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.List;
import java.util.Optional;
import org.osgi.framework.Bundle;
import org.osgi.framework.Constants;
import org.osgi.framework.wiring.BundleRequirement;
import org.osgi.framework.wiring.BundleRevision;
import org.osgi.framework.wiring.FrameworkWiring;
import org.osgi.resource.Namespace;

/**
 * Bundle that does not run.
 *
 * @param name its symbolic name
 * @param reason why it does not run
 */
record IdleBundle(String name, String reason) {
    /** {@return a bundle that does not run, with its reason; empty for a fragment and for a bundle that runs} */
    static Optional<IdleBundle> of(Bundle bundle, FrameworkWiring wiring) {
        if (bundle.getHeaders().get(Constants.FRAGMENT_HOST) != null) {
            return Optional.empty();
        }
        return switch (bundle.getState()) {
            case Bundle.INSTALLED -> Optional.of(new IdleBundle(name(bundle), unresolved(bundle, wiring)));
            case Bundle.RESOLVED -> Optional.of(new IdleBundle(name(bundle), "it was stopped or failed to start"));
            case Bundle.STARTING ->
                Constants.ACTIVATION_LAZY.equals(policy(bundle))
                        ? Optional.empty()
                        : Optional.of(new IdleBundle(name(bundle), "its start has not returned"));
            case Bundle.STOPPING -> Optional.of(new IdleBundle(name(bundle), "its stop has not returned"));
            default -> Optional.empty();
        };
    }

    private static String name(Bundle bundle) {
        return bundle.getSymbolicName() == null ? bundle.getLocation() : bundle.getSymbolicName();
    }

    private static String policy(Bundle bundle) {
        String header = bundle.getHeaders().get(Constants.BUNDLE_ACTIVATIONPOLICY);
        return header == null ? null : header.split(";")[0].strip();
    }

    private static String unresolved(Bundle bundle, FrameworkWiring wiring) {
        BundleRevision revision = bundle.adapt(BundleRevision.class);
        if (revision == null) {
            return "it is not resolved";
        }
        List<String> missing = revision.getDeclaredRequirements(null).stream()
                .filter(IdleBundle::isNeeded)
                .filter(requirement -> wiring.findProviders(requirement).isEmpty())
                .map(IdleBundle::text)
                .distinct()
                .toList();
        return missing.isEmpty() ? "it is not resolved" : "it lacks " + String.join(", ", missing);
    }

    private static boolean isNeeded(BundleRequirement requirement) {
        String resolution = requirement.getDirectives().get(Namespace.REQUIREMENT_RESOLUTION_DIRECTIVE);
        String effective = requirement.getDirectives().get(Namespace.REQUIREMENT_EFFECTIVE_DIRECTIVE);
        return (resolution == null || resolution.equals(Namespace.RESOLUTION_MANDATORY))
                && (effective == null || effective.equals(Namespace.EFFECTIVE_RESOLVE));
    }

    private static String text(BundleRequirement requirement) {
        String filter = requirement.getDirectives().get(Namespace.REQUIREMENT_FILTER_DIRECTIVE);
        return filter == null ? requirement.getNamespace() : filter;
    }
}
