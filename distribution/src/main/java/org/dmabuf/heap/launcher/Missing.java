// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.osgi.framework.Bundle;
import org.osgi.framework.Constants;
import org.osgi.framework.wiring.BundleCapability;
import org.osgi.framework.wiring.BundleRequirement;
import org.osgi.framework.wiring.BundleRevision;
import org.osgi.framework.wiring.FrameworkWiring;
import org.osgi.resource.Namespace;

/**
 * Description of the requirements that a bundle lacks to resolve. The framework's own message has them as filters,
 * several times over, with the chain of bundles that led to them.
 */
final class Missing {
    private static final Pattern NAME = Pattern.compile("\\(([\\w.]+)=([^()]+)\\)");
    private static final Pattern EXACTLY = Pattern.compile("\\(version=([^()]+)\\)");
    private static final Pattern FROM = Pattern.compile("\\((?:bundle-)?version>=([^()]+)\\)");
    private static final Pattern BELOW = Pattern.compile("\\(!\\((?:bundle-)?version>=([^()]+)\\)\\)");

    private Missing() {}

    /**
     * Describes a requirement without a provider, or with a provider that does not resolve either; empty for other
     * reasons.
     */
    static List<String> from(Bundle bundle, FrameworkWiring wiring) {
        if (bundle.getState() != Bundle.INSTALLED) {
            return List.of();
        }
        return bundle.adapt(BundleRevision.class).getDeclaredRequirements(null).stream()
                .filter(Missing::isNeededToResolve)
                .flatMap(requirement -> missing(requirement, wiring.findProviders(requirement)).stream())
                .distinct()
                .toList();
    }

    private static boolean isNeededToResolve(BundleRequirement requirement) {
        String resolution = requirement.getDirectives().get(Namespace.REQUIREMENT_RESOLUTION_DIRECTIVE);
        String effective = requirement.getDirectives().get(Namespace.REQUIREMENT_EFFECTIVE_DIRECTIVE);
        return (resolution == null || resolution.equals(Namespace.RESOLUTION_MANDATORY))
                && (effective == null || effective.equals(Constants.EFFECTIVE_RESOLVE));
    }

    private static Optional<String> missing(BundleRequirement requirement, Collection<BundleCapability> providers) {
        Bundle self = requirement.getRevision().getBundle();
        List<Bundle> bundles = providers.stream()
                .map(provider -> provider.getRevision().getBundle())
                .toList();
        if (bundles.stream().anyMatch(bundle -> bundle.equals(self) || bundle.getState() != Bundle.INSTALLED)) {
            return Optional.empty();
        }
        String text = describe(
                requirement.getNamespace(), requirement.getDirectives().get(Namespace.REQUIREMENT_FILTER_DIRECTIVE));
        return Optional.of(
                bundles.isEmpty()
                        ? text
                        : text + " (" + bundles.getFirst().getSymbolicName() + " has it, but does not resolve itself)");
    }

    /**
     * Returns for example {@code package org.acme.dma [1.0.0,2.0.0)} or {@code ee JavaSE 26}; an unknown filter stays
     * as it is.
     */
    static String describe(String namespace, String filter) {
        if (filter == null) {
            return namespace;
        }
        Matcher name = NAME.matcher(filter);
        if (!name.find() || !name.group(1).equals(namespace)) {
            return namespace + " " + filter;
        }
        return namespace.substring(namespace.lastIndexOf('.') + 1) + " " + name.group(2) + versions(filter);
    }

    private static String versions(String filter) {
        Matcher exactly = EXACTLY.matcher(filter);
        Matcher from = FROM.matcher(filter);
        Matcher below = BELOW.matcher(filter);
        if (exactly.find()) {
            return " " + exactly.group(1);
        }
        if (!from.find()) {
            return "";
        }
        return below.find() ? " [" + from.group(1) + "," + below.group(1) + ")" : " " + from.group(1) + " or later";
    }
}
