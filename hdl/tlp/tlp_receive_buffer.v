`default_nettype none
// Receiver of a TLP link: one queue per class, credits for exactly their room, and the ordering of PCIe (transaction
// ordering table) between the classes. Never stalls the link. Latency 1 cycle, one beat in per cycle, one beat out
// per cycle and class.
// The heads of the non-posted and completion queues are held back until every posted TLP that arrived before them has left,
// except: RO set (completions, non-posted with payload) passes; IDO set passes posted TLPs of another requester,
// recognised for the newest run of posted TLPs with one requester ID (older runs are waited for, which is always allowed).
// Consumers must not queue what they take here, or must keep the order among the three streams themselves.
// Link-down: TLPs that arrived stay and can leave; one that was cut off ends with `err`.
module tlp_receive_buffer #(
    // Payload width of a beat: 128, 256 or 512.
    parameter int DATA_W = 512,
    // Room per class: header credits (1..127) and data credits of 16 bytes (0..2047, one whole TLP at least).
    parameter int POSTED_HEADERS = 32,
    parameter int POSTED_DATA = 256,
    parameter int NONPOSTED_HEADERS = 32,
    parameter int NONPOSTED_DATA = 32,
    parameter int COMPLETION_HEADERS = 32,
    parameter int COMPLETION_DATA = 256,
    // 1: completion credits are advertised as infinite; the room above was reserved before the requests were sent.
    parameter bit COMPLETION_INFINITE = 1'b0,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire               clk_i,
    input  wire               rst_i,
    input  wire               link_up_i,

    // TLP link in.
    input  wire               rx_valid_i,
    output wire               rx_ready_o,
    input  wire               rx_sop_i,
    input  wire               rx_eop_i,
    input  wire [DATA_W-1:0]  rx_data_i,
    input  wire [EMPTY_W-1:0] rx_empty_i,
    input  wire [127:0]       rx_hdr_i,
    input  wire [31:0]        rx_prefix_i,
    input  wire               rx_prefix_valid_i,
    input  wire               rx_err_i,
    output wire [59:0]        rx_credit_limit_o,
    output wire [5:0]         rx_credit_infinite_o,

    // Posted TLPs. In all three streams header and prefix stay for all beats of a TLP.
    output wire               posted_valid_o,
    input  wire               posted_ready_i,
    output wire               posted_sop_o,
    output wire               posted_eop_o,
    output wire [DATA_W-1:0]  posted_data_o,
    output wire [EMPTY_W-1:0] posted_empty_o,
    output wire [127:0]       posted_hdr_o,
    output wire [31:0]        posted_prefix_o,
    output wire               posted_prefix_valid_o,
    output wire               posted_err_o,

    // Non-posted TLPs.
    output wire               nonposted_valid_o,
    input  wire               nonposted_ready_i,
    output wire               nonposted_sop_o,
    output wire               nonposted_eop_o,
    output wire [DATA_W-1:0]  nonposted_data_o,
    output wire [EMPTY_W-1:0] nonposted_empty_o,
    output wire [127:0]       nonposted_hdr_o,
    output wire [31:0]        nonposted_prefix_o,
    output wire               nonposted_prefix_valid_o,
    output wire               nonposted_err_o,

    // Completions.
    output wire               completion_valid_o,
    input  wire               completion_ready_i,
    output wire               completion_sop_o,
    output wire               completion_eop_o,
    output wire [DATA_W-1:0]  completion_data_o,
    output wire [EMPTY_W-1:0] completion_empty_o,
    output wire [127:0]       completion_hdr_o,
    output wire [31:0]        completion_prefix_o,
    output wire               completion_prefix_valid_o,
    output wire               completion_err_o
);

  localparam int GUARDED_HEADERS = NONPOSTED_HEADERS > COMPLETION_HEADERS ? NONPOSTED_HEADERS : COMPLETION_HEADERS;
  localparam int POSITION_W = $clog2(GUARDED_HEADERS + POSTED_HEADERS + 4) + 1;

  // Class of the TLP on the link, and the beat that closes one cut off by link-down.
  logic [1:0] class_now, class_q;
  logic       open_d, open_q;
  logic       cut_off, beat, sop, eop, err;
  logic [2:0] class_beat;

  assign rx_ready_o = 1'b1;
  assign rx_credit_infinite_o = {COMPLETION_INFINITE, COMPLETION_INFINITE, 4'b0000};

  assign cut_off = open_q && !link_up_i;
  assign beat = (rx_valid_i && link_up_i) || cut_off;
  assign sop = rx_sop_i && !cut_off;
  assign eop = rx_eop_i || cut_off;
  assign err = rx_err_i || cut_off;
  assign class_now = sop ? tlp_pkg::tlp_class(rx_hdr_i[127:120]) : class_q;
  assign open_d = beat ? !eop : open_q;
  assign class_beat = beat ? 3'd1 << class_now : 3'd0;

  always_ff @(posedge clk_i) begin
    // Between beats the link carries anything, `sop` and header included.
    if (beat) class_q <= class_now;
    open_q <= open_d;
    if (rst_i) open_q <= 1'b0;
  end

  tlp_class_queue #(
      .DATA_W      (DATA_W),
      .HEADERS     (POSTED_HEADERS),
      .DATA_CREDITS(POSTED_DATA)
  ) u_posted (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .link_up_i         (link_up_i),
      .in_valid_i        (class_beat[0]),
      .in_sop_i          (sop),
      .in_eop_i          (eop),
      .in_data_i         (rx_data_i),
      .in_empty_i        (rx_empty_i),
      .in_hdr_i          (rx_hdr_i),
      .in_prefix_i       (rx_prefix_i),
      .in_prefix_valid_i (rx_prefix_valid_i),
      .in_err_i          (err),
      .out_valid_o       (posted_valid_o),
      .out_ready_i       (posted_ready_i),
      .out_sop_o         (posted_sop_o),
      .out_eop_o         (posted_eop_o),
      .out_data_o        (posted_data_o),
      .out_empty_o       (posted_empty_o),
      .out_hdr_o         (posted_hdr_o),
      .out_prefix_o      (posted_prefix_o),
      .out_prefix_valid_o(posted_prefix_valid_o),
      .out_err_o         (posted_err_o),
      .header_limit_o    (rx_credit_limit_o[7:0]),
      .data_limit_o      (rx_credit_limit_o[19:8])
  );

  // Non-posted and completion queues before the ordering guard.
  logic nonposted_queued, nonposted_released, completion_queued, completion_released;

  tlp_class_queue #(
      .DATA_W      (DATA_W),
      .HEADERS     (NONPOSTED_HEADERS),
      .DATA_CREDITS(NONPOSTED_DATA)
  ) u_nonposted (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .link_up_i         (link_up_i),
      .in_valid_i        (class_beat[1]),
      .in_sop_i          (sop),
      .in_eop_i          (eop),
      .in_data_i         (rx_data_i),
      .in_empty_i        (rx_empty_i),
      .in_hdr_i          (rx_hdr_i),
      .in_prefix_i       (rx_prefix_i),
      .in_prefix_valid_i (rx_prefix_valid_i),
      .in_err_i          (err),
      .out_valid_o       (nonposted_queued),
      .out_ready_i       (nonposted_ready_i && (nonposted_released || !nonposted_sop_o)),
      .out_sop_o         (nonposted_sop_o),
      .out_eop_o         (nonposted_eop_o),
      .out_data_o        (nonposted_data_o),
      .out_empty_o       (nonposted_empty_o),
      .out_hdr_o         (nonposted_hdr_o),
      .out_prefix_o      (nonposted_prefix_o),
      .out_prefix_valid_o(nonposted_prefix_valid_o),
      .out_err_o         (nonposted_err_o),
      .header_limit_o    (rx_credit_limit_o[27:20]),
      .data_limit_o      (rx_credit_limit_o[39:28])
  );

  tlp_class_queue #(
      .DATA_W      (DATA_W),
      .HEADERS     (COMPLETION_HEADERS),
      .DATA_CREDITS(COMPLETION_DATA),
      .INFINITE    (COMPLETION_INFINITE)
  ) u_completion (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .link_up_i         (link_up_i),
      .in_valid_i        (class_beat[2]),
      .in_sop_i          (sop),
      .in_eop_i          (eop),
      .in_data_i         (rx_data_i),
      .in_empty_i        (rx_empty_i),
      .in_hdr_i          (rx_hdr_i),
      .in_prefix_i       (rx_prefix_i),
      .in_prefix_valid_i (rx_prefix_valid_i),
      .in_err_i          (err),
      .out_valid_o       (completion_queued),
      .out_ready_i       (completion_ready_i && (completion_released || !completion_sop_o)),
      .out_sop_o         (completion_sop_o),
      .out_eop_o         (completion_eop_o),
      .out_data_o        (completion_data_o),
      .out_empty_o       (completion_empty_o),
      .out_hdr_o         (completion_hdr_o),
      .out_prefix_o      (completion_prefix_o),
      .out_prefix_valid_o(completion_prefix_valid_o),
      .out_err_o         (completion_err_o),
      .header_limit_o    (rx_credit_limit_o[47:40]),
      .data_limit_o      (rx_credit_limit_o[59:48])
  );

  assign nonposted_valid_o = nonposted_queued && (nonposted_released || !nonposted_sop_o);
  assign completion_valid_o = completion_queued && (completion_released || !completion_sop_o);

  // Positions in the sequence of posted TLPs: arrived, left, and where the newest run of one requester ID begins.
  logic [POSITION_W-1:0] posted_arrived_d, posted_arrived_q;
  logic [POSITION_W-1:0] posted_left_d, posted_left_q;
  logic [POSITION_W-1:0] run_start_d, run_start_q;
  logic [15:0]           run_requester_d, run_requester_q;
  // 1 while posted TLPs older than the run are still here.
  logic                  run_blocked_d, run_blocked_q;

  always_comb begin
    posted_arrived_d = posted_arrived_q;
    posted_left_d = posted_left_q;
    run_start_d = run_start_q;
    run_requester_d = run_requester_q;
    run_blocked_d = run_blocked_q;
    if (posted_valid_o && posted_ready_i && posted_eop_o) posted_left_d = posted_left_q + 1'b1;
    if (class_beat[0] && sop) begin
      posted_arrived_d = posted_arrived_q + 1'b1;
      if (rx_hdr_i[95:80] != run_requester_q) begin
        run_requester_d = rx_hdr_i[95:80];
        run_start_d = posted_arrived_q;
        run_blocked_d = 1'b1;
      end
    end
    if (run_start_d == posted_left_d) run_blocked_d = 1'b0;
  end

  always_ff @(posedge clk_i) begin
    posted_arrived_q <= posted_arrived_d;
    posted_left_q <= posted_left_d;
    run_start_q <= run_start_d;
    run_requester_q <= run_requester_d;
    run_blocked_q <= run_blocked_d;
    if (rst_i) begin
      posted_arrived_q <= '0;
      posted_left_q <= '0;
      run_start_q <= '0;
      run_requester_q <= '0;
      run_blocked_q <= 1'b0;
    end
  end

  // What the arriving TLP has to wait for.
  logic                  relaxed, other_requester, arrive_wait;
  logic [POSITION_W-1:0] arrive_barrier;

  assign relaxed = rx_hdr_i[109] && (class_now == tlp_pkg::CLASS_COMPLETION || rx_hdr_i[126]);
  assign other_requester = rx_hdr_i[114] && rx_hdr_i[95:80] != run_requester_q;
  assign arrive_barrier = other_requester ? run_start_q : posted_arrived_q;
  assign arrive_wait = !relaxed && (other_requester ? run_blocked_q : posted_left_q != posted_arrived_q);

  tlp_ordering_guard #(
      .HEADERS       (NONPOSTED_HEADERS),
      .POSTED_HEADERS(POSTED_HEADERS),
      .POSITION_W    (POSITION_W)
  ) u_nonposted_guard (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .arrive_i        (class_beat[1] && sop),
      .arrive_wait_i   (arrive_wait),
      .arrive_barrier_i(arrive_barrier),
      .posted_left_i   (posted_left_q),
      .released_o      (nonposted_released),
      .take_i          (nonposted_valid_o && nonposted_ready_i && nonposted_sop_o)
  );

  tlp_ordering_guard #(
      .HEADERS       (COMPLETION_HEADERS),
      .POSTED_HEADERS(POSTED_HEADERS),
      .POSITION_W    (POSITION_W)
  ) u_completion_guard (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .arrive_i        (class_beat[2] && sop),
      .arrive_wait_i   (arrive_wait),
      .arrive_barrier_i(arrive_barrier),
      .posted_left_i   (posted_left_q),
      .released_o      (completion_released),
      .take_i          (completion_valid_o && completion_ready_i && completion_sop_o)
  );

  generate
    if (DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : g_check_width
      initial $fatal(1, "tlp_receive_buffer: DATA_W must be 128, 256 or 512");
    end
    if (POSTED_HEADERS < 1 || NONPOSTED_HEADERS < 1 || COMPLETION_HEADERS < 1) begin : g_check_headers
      initial $fatal(1, "tlp_receive_buffer: every class needs at least one header credit");
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && link_up_i && rx_valid_i) begin
      assert (rx_sop_i != open_q) else $error("tlp_receive_buffer: sop inside a TLP or a beat outside one");
      assert (rx_eop_i || rx_empty_i == '0) else $error("tlp_receive_buffer: empty before eop");
      assert (!rx_sop_i || rx_hdr_i[111] == 1'b0) else $error("tlp_receive_buffer: TD set, no digest travels on a link");
    end
  end
`endif

endmodule
`default_nettype wire
