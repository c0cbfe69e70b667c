import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.analysis.common.CommonAnalysisPlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.index.reindex.ReindexPlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/** OpenSearch on loopback without sign-in: FOLDER PORT OWNER; it ends when OWNER does. */
public class Server extends Node {
    private static final String NAME = "headrace-tests";

    private Server(Environment environment) {
        super(
                environment,
                List.of(Netty4Plugin.class, CommonAnalysisPlugin.class, ReindexPlugin.class),
                false);
    }

    public static void main(String[] args) throws Exception {
        Settings settings = Settings.builder()
                .put("path.home", args[0])
                .put("http.port", args[1])
                .put("transport.port", "0")
                .put("network.host", "127.0.0.1")
                .put("discovery.type", "single-node")
                .put("cluster.name", NAME)
                .put("http.type", "netty4")
                .put("transport.type", "netty4")
                // A test machine's disk may be fuller than a server's should be.
                .put("cluster.routing.allocation.disk.threshold_enabled", false)
                .build();
        Path config = Path.of(args[0], "config");
        Environment environment =
                InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), config, () -> NAME);
        try (Server server = new Server(environment)) {
            server.start();
            System.out.println("ready");
            ProcessHandle.of(Long.parseLong(args[2])).ifPresent(owner -> owner.onExit().join());
        }
        System.exit(0);
    }
}
